"""The output of Snakemake and its jobs, in a file of limited size."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path

PIPE_BYTES = 1024 * 1024  # the most that an unprivileged process may request
TAIL_BYTES = 64 * 1024  # kept of the end of a truncated log
READ_PAUSE_S = 0.02  # between two reads while little is printed
DRAIN_TIMEOUT_S = 2.0  # for what is still in the pipe


class Console:
    """A pipe to print to, and a thread that copies it to a file.

    Beyond the limit only the end is kept, in memory; it is appended when the run has finished,
    because the end shows why a run failed. A printing process is never blocked for long and never
    sees that the disk is full. Create the console before a fork and `start` it after that.
    """

    def __init__(self, path: Path, limit: int) -> None:
        """`limit` is in bytes. Raises OSError when the file cannot be opened."""
        self._limit = self._room = limit
        self._left_out = 0
        self._tail = b""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._out, self._in = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # the limit of all pipes of the user is reached
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._chunk = fcntl.fcntl(self._in, fcntl.F_GETPIPE_SZ)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._copy, name="console", daemon=True)

    def fileno(self) -> int:
        """Return the file descriptor to print to; valid until `start`."""
        return self._in

    def redirect(self, *streams: int) -> None:
        """In the process that prints: redirect these file descriptors to the console."""
        for stream in streams:
            os.dup2(self._in, stream)
        for own in (self._file, self._out, self._in):
            os.close(own)

    def start(self) -> None:
        """Start to copy; only processes that have the pipe already can print."""
        os.close(self._in)
        self._thread.start()

    def finish(self) -> None:
        """Write everything printed so far to the file. No process prints any more."""
        self._ending.set()
        self._thread.join(DRAIN_TIMEOUT_S)  # longer only if a process cannot be killed
        with self._lock:
            if self._left_out:
                missing = self._left_out - len(self._tail)
                self._write(f"\n[Rundesk: {missing} bytes omitted]\n".encode())
                self._write(self._tail)
            self._left_out, self._tail = 0, b""

    def _copy(self) -> None:
        while chunk := os.read(self._out, self._chunk):
            with self._lock:
                self._take(chunk)
            if len(chunk) < self._chunk // 2:
                self._ending.wait(READ_PAUSE_S)

    def _take(self, chunk: bytes) -> None:
        head, rest = chunk[: self._room], chunk[self._room :]
        if head:
            self._room -= len(head)
            if unwritten := self._write(head):  # the disk is full
                self._room, rest = 0, unwritten + rest
        if rest:
            if not self._left_out:
                note = f"log truncated at {self._limit} bytes; its end follows after the run"
                self._write(f"\n[Rundesk: {note}]\n".encode())
            self._left_out += len(rest)
            full = len(rest) >= TAIL_BYTES
            self._tail = rest[-TAIL_BYTES:] if full else (self._tail + rest)[-TAIL_BYTES:]

    def _write(self, data: bytes) -> bytes:
        """Write as much as the disk takes; return the rest."""
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError:
            return data
        return b""
