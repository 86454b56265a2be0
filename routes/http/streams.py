"""Streams: the events of a run, and its log while it grows.

Each occupies a thread. So their number is limited, each lasts a limited time, and all end at once
when their process stops.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from flask import Flask, Response, current_app, request, stream_with_context

from routes.http.context import services
from routes.http.errors import STREAMS_BUSY, StreamsBusy
from services.errors import DatabaseUnavailable, NotFound, RundeskError
from services.models import Run
from services.runs.events import Event

MAX_STREAMS = 4  # of one process; each occupies one of its threads
POLL_INTERVAL_S = 0.5  # each poll is shared for a second by all streams of a run
HEARTBEAT_INTERVAL_S = 10.0  # proxies close connections on which nothing is sent
RECONNECT_MS = 2000  # after which a browser reconnects when a stream has ended
LOG_CHUNK_BYTES = 64 * 1024

#: Set when this process stops. Whatever waits for it then returns.
STOPPING = threading.Event()


def install(app: Flask) -> None:
    """Attach a limit on the number of streams to the app."""
    app.extensions["rundesk.streams"] = threading.BoundedSemaphore(MAX_STREAMS)


def stream(pieces: Iterator[bytes], media: str) -> Response:
    """Return a response that streams `pieces`. Raises StreamsBusy."""
    slots: threading.BoundedSemaphore = current_app.extensions["rundesk.streams"]
    if not slots.acquire(blocking=False):
        raise StreamsBusy(STREAMS_BUSY())
    reply = Response(stream_with_context(pieces), mimetype=media)
    reply.call_on_close(slots.release)
    reply.headers["X-Accel-Buffering"] = "no"  # a proxy must not wait for more
    return reply


def events(poll: Callable[[str], tuple[Run, list[Event]]], seen: str) -> Iterator[bytes]:
    """Yield server-sent events until the run has finished.

    `poll` returns the run and the events after the one with the id `seen`.
    """
    yield f"retry: {RECONNECT_MS}\n\n".encode()
    last_sent = time.monotonic()
    for _ in _polls():
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


def log(run_of: Callable[[], Run], log_of: Callable[[], Path], offset: int) -> Iterator[bytes]:
    """Yield a log from the byte `offset` on, while it grows, until its attempt has finished."""
    attempt = 0
    for _ in _polls():
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


def _polls() -> Iterator[None]:
    """Yield once for each poll, until the time is up, the process stops or the client is gone."""
    end = time.monotonic() + services().settings.stream_time
    while True:
        yield
        if time.monotonic() >= end or STOPPING.wait(POLL_INTERVAL_S) or _disconnected():
            return


def _disconnected() -> bool:
    """Whether the client has closed the connection; a write would show it only much later."""
    connection = request.environ.get("gunicorn.socket")
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
