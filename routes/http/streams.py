"""Streams: the events of a run, and its log while it grows. And requests that wait for a change.

A stream occupies a thread only until there is nothing to send; then one thread of the process
serves it with all others. Each lasts a limited time, and all end at once when the process stops.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from flask import Flask, Response, copy_current_request_context, current_app, request

from routes.http.context import current_actor
from routes.http.errors import STREAMS_BUSY, StreamsBusy
from routes.http.slow_clients import ClientSocket
from routes.http.stream_hub import Follower, Hub, Step
from services.errors import DatabaseUnavailable, NotFound, RundeskError
from services.models import Actor, Run
from services.runs.events import Event

MAX_STREAMS = 250  # of one process
MAX_WAITING_REQUESTS = 100  # of one process; each occupies a thread
POLL_INTERVAL_S = 0.5  # each poll is shared for a second by all streams of a run
RECHECK_INTERVAL_S = 5.0  # after which a stream checks again whether its user may read
HEARTBEAT_INTERVAL_S = 10.0  # proxies close connections on which nothing is sent
RECONNECT_MS = 2000  # after which a browser reconnects when a stream has ended
LOG_CHUNK_BYTES = 64 * 1024
NOTHING_NEW = b""

#: Set when this process stops. Whatever waits for it then returns.
STOPPING = threading.Event()


def install(app: Flask) -> None:
    """Attach the streams, and a limit on the number of waiting requests, to the app."""
    app.extensions["rundesk.streams"] = Hub(MAX_STREAMS, POLL_INTERVAL_S, STOPPING)
    app.extensions["rundesk.waiting"] = threading.BoundedSemaphore(MAX_WAITING_REQUESTS)


def stream(pieces: Iterator[bytes], media: str) -> Response:
    """Return a response that streams `pieces`, where NOTHING_NEW lets time pass.

    Raises StreamsBusy.
    """
    hub: Hub = current_app.extensions["rundesk.streams"]
    if not hub.reserve():
        raise StreamsBusy(STREAMS_BUSY())
    started = _Started(hub, lambda: next(pieces, None))
    reply = Response(started.pieces(), mimetype=media)
    reply.call_on_close(started.close)
    reply.headers["X-Accel-Buffering"] = "no"  # a proxy must not wait for more
    return reply


class _Started:
    """A stream in the thread that started it."""

    def __init__(self, hub: Hub, step: Step) -> None:
        self._hub = hub
        self._step = step
        self._connection = request.environ.get("gunicorn.socket")
        self._chunked = request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
        self._handed_over = False

    def pieces(self) -> Iterator[bytes]:
        """Yield what is there now, and the rest only where it cannot be handed over."""
        while (piece := self._step()) is not None:
            if piece:
                yield piece
            elif isinstance(self._connection, ClientSocket):
                yield NOTHING_NEW  # the server sends the head, if it has not
                self._handed_over = True
                connection = self._connection.hand_over()
                self._hub.add(Follower(connection, self._step, chunked=self._chunked))
                return
            elif STOPPING.wait(POLL_INTERVAL_S) or _disconnected(self._connection):
                return

    def close(self) -> None:
        if not self._handed_over:
            self._hub.release()


def wait_for_change(run: Run, read: Callable[[], Run], seconds: int) -> Run:
    """Return the run as soon as it differs from `run`, or else after some seconds.

    It returns at once if too many requests wait, and when the process stops.
    """
    places: threading.BoundedSemaphore = current_app.extensions["rundesk.waiting"]
    if not places.acquire(blocking=False):
        return run
    connection = request.environ.get("gunicorn.socket")
    end, known = time.monotonic() + seconds, run
    waiting = connection.waiting() if isinstance(connection, ClientSocket) else None
    try:
        with waiting or contextlib.nullcontext():
            while not known.state.final and (left := end - time.monotonic()) > 0:
                if STOPPING.wait(min(POLL_INTERVAL_S, left)) or _disconnected(connection):
                    break
                with contextlib.suppress(DatabaseUnavailable):
                    last, known = known, read()
                    if known is not last and known != run:  # it is shared by those that wait
                        break
    finally:
        places.release()
    return known


def rechecked(actor: Actor) -> Callable[[], Actor]:
    """Return a function that returns the user of this request, and raises once it may not read.

    It looks again at intervals, because that takes longer than a poll.
    """
    check = copy_current_request_context(current_actor)
    known = [actor]
    due = [time.monotonic() + RECHECK_INTERVAL_S]

    def checked() -> Actor:
        if time.monotonic() >= due[0]:
            known[0] = check()
            due[0] = time.monotonic() + RECHECK_INTERVAL_S
        return known[0]

    return checked


def events(
    poll: Callable[[str], tuple[Run, Sequence[Event]]], seen: str, seconds: float
) -> Iterator[bytes]:
    """Yield server-sent events until the run has finished, for some seconds at most.

    `poll` returns the run and the events after the one with the id `seen`.
    """
    yield f"retry: {RECONNECT_MS}\n\n".encode()
    last_sent = time.monotonic()
    for is_first in _polls(seconds):
        if not is_first:
            yield NOTHING_NEW
        try:
            run, new = poll(seen)
        except DatabaseUnavailable:
            continue
        except RundeskError as error:  # deleted meanwhile, or the user lost access
            yield _event("gone", seen, {"msg": error.message})
            return
        for event in new:
            seen = event.seen
            yield _event(event.kind, seen, event.data)
        if run.state.final:
            return
        if new:
            last_sent = time.monotonic()
        elif time.monotonic() - last_sent >= HEARTBEAT_INTERVAL_S:
            last_sent = time.monotonic()
            yield b": nothing new\n\n"


def log(
    run_of: Callable[[], Run], log_of: Callable[[], Path], offset: int, seconds: float
) -> Iterator[bytes]:
    """Yield a log from the byte `offset` on, while it grows, until its attempt has finished.

    It ends after some seconds in any case.
    """
    attempt = 0
    for is_first in _polls(seconds):
        if not is_first:
            yield NOTHING_NEW
        try:
            run = run_of()
            if attempt and len(run.attempts) != attempt:
                return
            attempt = len(run.attempts)
            for block in _rest(log_of, offset):
                offset += len(block)
                yield block
        except DatabaseUnavailable:
            continue
        except RundeskError:
            return
        if run.state.final:
            return


def _polls(seconds: float) -> Iterator[bool]:
    """Yield for each poll whether it is the first, until the time is up."""
    end = time.monotonic() + seconds
    yield True
    while time.monotonic() < end:
        yield False


def _disconnected(connection: socket.socket | None) -> bool:
    """Whether the client has closed the connection; a write would show it only much later."""
    if connection is None:
        return False
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _rest(log_of: Callable[[], Path], offset: int) -> Iterator[bytes]:
    try:
        with log_of().open("rb") as file:
            file.seek(offset)
            while block := file.read(LOG_CHUNK_BYTES):
                yield block
    except (NotFound, FileNotFoundError):  # nothing has been printed yet
        return


def _event(kind: str, seen: str, data: object) -> bytes:
    return f"event: {kind}\nid: {seen}\ndata: {json.dumps(data)}\n\n".encode()
