"""Connections of clients that are slow: what they may hold, and for how long.

A connection gets a thread only when the head of its request has arrived. A thread that waits for
its client lets another thread work: the number of requests that are worked on at once is limited,
not the number of those that wait. Uploads have a share of their own, so that they never take the
places of other requests.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from typing_extensions import Buffer

HEAD_TIMEOUT_S = 10.0  # for the head of a request, from its connection or its first byte
IDLE_TIMEOUT_S = 60.0  # without a byte in either direction
BODY_GRACE_S = 60.0  # of a body, before the least rate applies
MIN_BODY_RATE = 1024  # bytes/s on average
MAX_HEAD_BYTES = 64 * 1024  # after which a thread reads on, and refuses what is too long
LINGER_S = 2.0  # for a client to read the last response, as in gunicorn
MAX_LINGER_BYTES = 64 * 1024  # that are still read meanwhile, as in gunicorn
SHARE_TIMEOUT_S = 30.0  # for a place after waiting: requests never wait for each other forever
HEAD_END = b"\r\n\r\n"


class ClientTooSlow(ConnectionResetError, TimeoutError):
    """A client did not send or receive in time. Servers log it like a lost connection."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client is too slow")


class ClientSocket(socket.socket):
    """The socket of a client, on which no read or write waits longer than the limits."""

    _ahead: bytearray
    _share: threading.Semaphore | None
    _has_place: bool
    _deadline: float
    _body_began: float
    _received: int
    _ended: bool
    handed_over: bool  # to a thread that has a connection of its own to the same client

    @classmethod
    def of(cls, connection: socket.socket) -> Self:
        """Return the same connection with limits; `connection` cannot be used afterwards."""
        blocking = connection.getblocking()
        made = cls(connection.family, connection.type, connection.proto, fileno=connection.detach())
        made.setblocking(blocking)
        made._ahead = bytearray()
        made._share, made._has_place, made._ended = None, False, False
        made._received = 0
        made.handed_over = False
        made.begin_head()
        return made

    # ---- heads ---------------------------------------------------------------------------------

    def begin_head(self) -> None:
        """Limit the time until the head of the next request has arrived."""
        self._deadline = time.monotonic() + HEAD_TIMEOUT_S
        self._body_began = math.inf

    @property
    def deadline(self) -> float:
        """The time, of the monotonic clock, at which reads end; infinite without a limit."""
        return self._deadline

    @property
    def has_begun(self) -> bool:
        """Whether a part of the next request has arrived."""
        return bool(self._ahead)

    def head_arrived(self) -> bool:
        """Read what has arrived. Return whether a thread can proceed without waiting.

        It can when the head is complete, is too long, or when the connection has ended.
        """
        try:
            block = super().recv(MAX_HEAD_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return HEAD_END in self._ahead
        except OSError:
            return True
        searched = max(0, len(self._ahead) - len(HEAD_END) + 1)
        self._ahead += block
        complete = self._ahead.find(HEAD_END, searched) >= 0
        return complete or not block or len(self._ahead) >= MAX_HEAD_BYTES

    # ---- requests ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def working(self, share: threading.Semaphore) -> Iterator[None]:
        """Occupy a place of `share`, except while this thread waits for the client."""
        self._deadline = math.inf
        self._body_began, self._received = time.monotonic(), 0
        self._share = share
        self._has_place = share.acquire()
        try:
            yield
        finally:
            self._release()
            self._share = None

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Give up the place for as long as this thread waits for something."""
        self._release()
        try:
            yield
        finally:
            if self._share is not None:
                self._has_place = self._share.acquire(timeout=SHARE_TIMEOUT_S)

    def _release(self) -> None:
        if self._share is not None and self._has_place:
            self._has_place = False
            self._share.release()

    def end_reading_in(self, seconds: float) -> None:
        """Let all further reads of this request end after `seconds`."""
        self._deadline = time.monotonic() + seconds

    def hand_over(self) -> socket.socket:
        """Return the connection for another thread. Here nothing is sent or received any more."""
        self.handed_over = True
        return socket.socket(self.family, self.type, self.proto, fileno=os.dup(self.fileno()))

    def shutdown(self, how: int, /) -> None:
        if not self.handed_over:
            super().shutdown(how)

    def end(self) -> None:
        """Send the end of stream, and let the client read the response to its end.

        A connection that is closed while the client still sends is reset, and the response with
        it. gunicorn waits for the client as well, but in the thread that serves all connections.
        """
        if self.handed_over:
            return
        self.end_reading_in(LINGER_S)
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_WR)
            left = MAX_LINGER_BYTES
            while left > 0 and (block := self.recv(MAX_HEAD_BYTES)):
                left -= len(block)
        self._ended = True

    # ---- bytes ---------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if self.handed_over:
            return b""
        if flags or (self.gettimeout() == 0 and not self._ahead):
            return super().recv(size, flags)
        if self._ahead:
            block = bytes(self._ahead[:size])
            del self._ahead[:size]
        elif self._ended:
            return b""
        else:
            self._wait(select.POLLIN, self._read_time())
            block = super().recv(size)
        self._received += len(block)
        return block

    def _read_time(self) -> float:
        """Return how many seconds a read may wait."""
        now = time.monotonic()
        body = self._body_began + BODY_GRACE_S + self._received / MIN_BODY_RATE
        timeout = self.gettimeout()
        limits = (IDLE_TIMEOUT_S, self._deadline - now, body - now)
        return min(limits if timeout is None else (*limits, timeout))

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        if self.handed_over:
            return None
        if self.gettimeout() == 0:
            return super().sendall(data, flags)
        view = memoryview(data).cast("B")
        while view:
            self._wait(select.POLLOUT, IDLE_TIMEOUT_S)
            with contextlib.suppress(BlockingIOError):
                view = view[super().send(view, socket.MSG_DONTWAIT | flags) :]
        return None

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        before = self.gettimeout()
        self.settimeout(IDLE_TIMEOUT_S)
        try:
            with self.waiting():  # the kernel does the work
                return super().sendfile(file, offset, count)
        except TimeoutError as error:
            raise ClientTooSlow from error
        finally:
            self.settimeout(before)

    def _wait(self, event: int, seconds: float) -> None:
        """Wait until the client has sent or can receive. Raises ClientTooSlow."""
        ready = select.poll()
        ready.register(self, event)
        if ready.poll(0):
            return
        with self.waiting():
            if seconds <= 0 or not ready.poll(1000 * seconds):
                raise ClientTooSlow
