"""What Snakemake and its jobs print, in a file that cannot grow without bounds."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path

PIPE = 1024 * 1024  # bytes; the most that everybody may ask for
END = 64 * 1024  # bytes of the end that are kept of a log that was cut
PAUSE = 0.02  # s between two looks while little is printed
PATIENCE = 2.0  # s for what is still in the pipe


class Console:
    """A pipe to print to, and a thread that carries it to a file.

    Beyond the limit only the end is kept, in memory; it is added when the run is over, because the
    end tells why a run failed. Whoever prints is never held up for long, nor told that the disk is
    full. Make it before a fork, `start` it after that.
    """

    def __init__(self, path: Path, limit: int) -> None:
        """`limit` in bytes. Raises OSError when the file cannot be opened."""
        self._limit = self._room = limit
        self._left_out = 0
        self._end = b""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._out, self._in = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # the user's pipes are large enough altogether
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, PIPE)
        self._block = fcntl.fcntl(self._in, fcntl.F_GETPIPE_SZ)
        self._using = threading.Lock()
        self._ending = threading.Event()

    def fileno(self) -> int:
        """Where to print to, until it is started."""
        return self._in

    def become(self, *streams: int) -> None:
        """In the process that prints: let these file descriptors lead here."""
        for stream in streams:
            os.dup2(self._in, stream)
        for ours in (self._file, self._out, self._in):
            os.close(ours)

    def start(self) -> None:
        os.close(self._in)
        self._thread = threading.Thread(target=self._carry, name="console", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Put everything printed so far into the file; there is nobody left who prints."""
        self._ending.set()
        self._thread.join(PATIENCE)  # longer only if a process cannot be ended
        with self._using:
            if self._left_out:
                missing = self._left_out - len(self._end)
                self._write(f"\n[Rundesk: {missing} bytes are left out here]\n".encode())
                self._write(self._end)
            self._left_out, self._end = 0, b""

    def _carry(self) -> None:
        while block := os.read(self._out, self._block):
            with self._using:
                self._take(block)
            if len(block) < self._block // 2:
                self._ending.wait(PAUSE)

    def _take(self, block: bytes) -> None:
        head, rest = block[: self._room], block[self._room :]
        if head:
            self._room -= len(head)
            if unwritten := self._write(head):  # the disk is full
                self._room, rest = 0, unwritten + rest
        if rest:
            if not self._left_out:
                words = f"the log is cut here, at {self._limit} bytes; its end follows in time"
                self._write(f"\n[Rundesk: {words}]\n".encode())
            self._left_out += len(rest)
            self._end = (self._end + rest)[-END:] if len(rest) < END else rest[-END:]

    def _write(self, data: bytes) -> bytes:
        """Write what there is room for; returns the rest."""
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            return data
        return b""
