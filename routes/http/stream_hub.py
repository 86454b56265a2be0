"""Streams that have been started, all served by one thread of the process.

A thread of the server starts a stream and hands its connection over as soon as there is nothing to
send. The hub asks each stream for news at an interval, and never waits for a client.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import socket
import threading
import time
from collections.abc import Callable
from enum import Enum

log = logging.getLogger("rundesk.api")

Step = Callable[[], bytes | None]  # what to send next; empty: nothing new; None: the end

MAX_PIECES = 16  # of one stream in a turn, so that others have theirs
SHARES = 10  # in which the streams have their turns, one after the other
CLIENT_TIMEOUT_S = 60.0  # for a client that receives nothing
LAST_CHUNK = b"0\r\n\r\n"


class Turn(Enum):
    """What a stream needs after its turn."""

    IDLE = "nothing is new"
    BUSY = "there is more to send"
    OVER = "the stream or its connection has ended"


class Follower:
    """A connection that receives a stream. `chunked`: it is HTTP/1.1."""

    def __init__(self, connection: socket.socket, step: Step, *, chunked: bool) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._step = step
        self._chunked = chunked
        self._waiting = memoryview(b"")  # bytes that the client has not taken yet
        self._sent = time.monotonic()
        self._ended = False

    def turn(self) -> Turn:
        """Send what is new, without waiting."""
        try:
            for _ in range(MAX_PIECES):
                if not self._send():
                    late = time.monotonic() - self._sent > CLIENT_TIMEOUT_S
                    return Turn.OVER if late else Turn.BUSY
                if self._ended or self._disconnected():
                    return Turn.OVER
                piece = self._step()
                if piece == b"":
                    return Turn.IDLE
                self._queue(piece)
            return Turn.BUSY
        except OSError:
            return Turn.OVER

    def close(self, *, complete: bool) -> None:
        """Close the connection. `complete`: send the end of the response first."""
        with contextlib.suppress(OSError):
            if complete and not self._ended:
                self._queue(None)
                self._send()
            self._connection.shutdown(socket.SHUT_WR)
        self._connection.close()

    def _queue(self, piece: bytes | None) -> None:
        if piece is None:
            self._ended, piece = True, LAST_CHUNK if self._chunked else b""
        elif self._chunked:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        self._waiting = memoryview(piece)

    def _send(self) -> bool:
        """Send what the client takes. Return whether that is all."""
        with contextlib.suppress(BlockingIOError):
            while self._waiting:
                self._waiting = self._waiting[self._connection.send(self._waiting) :]
                self._sent = time.monotonic()
        return not self._waiting

    def _disconnected(self) -> bool:
        try:
            return not self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False


class Hub:
    """Serves at most `limit` streams, those that are not yet handed over included."""

    def __init__(self, limit: int, interval: float, stopping: threading.Event) -> None:
        self._interval = interval
        self._stopping = stopping
        self._places = threading.BoundedSemaphore(limit)
        self._new: queue.SimpleQueue[Follower] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def reserve(self) -> bool:
        """Take the place of a stream. Return whether there was one."""
        return self._places.acquire(blocking=False)

    def release(self) -> None:
        """Give up the place of a stream that was not handed over."""
        self._places.release()

    def add(self, follower: Follower) -> None:
        """Serve a stream, whose place is given up at its end."""
        self._new.put(follower)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="streams", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        """Give each stream its turn once in an interval, and a few at a time.

        Requests in other threads would wait for the interpreter while all have their turn at once.
        """
        followers: list[Follower] = []
        busy: set[Follower] = set()
        for number in itertools.count():
            stopping = self._stopping.wait(self._interval / SHARES)
            with contextlib.suppress(queue.Empty):
                while True:
                    followers.append(self._new.get_nowait())
            due = followers if stopping else {*followers[number % SHARES :: SHARES], *busy}
            turns = {one: Turn.OVER if stopping else _turn(one) for one in due}
            busy = {follower for follower, turn in turns.items() if turn is Turn.BUSY}
            for follower in [follower for follower, turn in turns.items() if turn is Turn.OVER]:
                followers.remove(follower)
                follower.close(complete=stopping)
                self._places.release()
            if not followers and self._ended():
                return

    def _ended(self) -> bool:
        """Let the next stream start another thread, unless one has been added meanwhile."""
        with self._lock:
            if not self._new.empty():
                return False
            self._thread = None
            return True


def _turn(follower: Follower) -> Turn:
    try:
        return follower.turn()
    except Exception:
        log.exception("a stream failed")
        return Turn.OVER
