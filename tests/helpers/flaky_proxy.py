"""A TCP proxy that simulates a bad network: it cuts connections and corrupts data."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

READ_CHUNK_BYTES = 256 * 1024
RESET = struct.pack("ii", 1, 0)  # for SO_LINGER: close with a reset without flushing


class Line:
    """Forwards bytes between its port and another port of this host."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.carried = 0  # bytes to the target
        self.cuts: list[int] = []  # numbers of forwarded bytes at which it cuts all connections
        self.away = 0.0  # s without connections after a cut
        self.spoiled: list[bytes] = []  # each is reversed once when it is forwarded
        self._back = 0.0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def cut(self) -> None:
        """Cut every connection."""
        self._back = time.monotonic() + self.away
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._door.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                threading.Thread(target=self._serve, args=(client,)).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if time.monotonic() < self._back:
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                with self._lock:
                    self._open |= {client, server}
                back = threading.Thread(target=self._carry, args=(server, client, False))
                back.start()
                self._carry(client, server, True)
                back.join()
                with self._lock:
                    self._open -= {client, server}

    def _carry(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(READ_CHUNK_BYTES):
                sink.sendall(self._spoil(block) if up else block)
                if up:
                    self._count(len(block))
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _count(self, size: int) -> None:
        with self._lock:
            self.carried += size
            due = bool(self.cuts) and self.carried >= self.cuts[0]
            if due:
                self.cuts.pop(0)
        if due:
            self.cut()

    def _spoil(self, block: bytes) -> bytes:
        for text in list(self.spoiled):
            if text in block:
                self.spoiled.remove(text)
                block = block.replace(text, text[::-1], 1)
        return block


@contextlib.contextmanager
def line_to(target: int) -> Iterator[Line]:
    line = Line(target)
    try:
        yield line
    finally:
        line.close()
