"""Replies that last: the events of a run, and a log while it grows.

Each takes a thread for as long as it lasts. So there are a few places for them and no more, each
lasts a bounded time, and all end at once when their process is to end.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from flask import Flask, Response, current_app, request, stream_with_context

from routes.http.context import desk
from routes.http.errors import NoPlace
from services.errors import DatabaseUnavailable, NotFound, RundeskError
from services.models import Run
from services.runs.events import Event

PLACES = 4  # streams of one process at once, of its threads
PAUSE = 0.5  # s between two looks; what is looked at is shared for a second by all who follow it
HEARTBEAT = 10.0  # s of silence after which something is sent: proxies end what is silent
RETRY = 2000  # ms after which a browser comes back when a stream has ended
BLOCK = 64 * 1024  # bytes of a log sent at once

#: Set when this process is to end; who waits in it then stops to.
STOPPING = threading.Event()


def install(app: Flask) -> None:
    """Each app has its own places."""
    app.extensions["rundesk.places"] = threading.BoundedSemaphore(PLACES)


def lasting(pieces: Iterator[bytes], media: str) -> Response:
    """A reply of `pieces`, in one of the places. Raises NoPlace."""
    places: threading.BoundedSemaphore = current_app.extensions["rundesk.places"]
    if not places.acquire(blocking=False):
        raise NoPlace
    reply = Response(stream_with_context(pieces), mimetype=media)
    reply.call_on_close(places.release)
    reply.headers["X-Accel-Buffering"] = "no"  # a proxy must not wait for more
    return reply


def events(look: Callable[[str], tuple[Run, list[Event]]], seen: str) -> Iterator[bytes]:
    """Server-sent events until the run is over; `look` finds what is new for who has seen that."""
    yield f"retry: {RETRY}\n\n".encode()
    spoken = time.monotonic()
    for _ in _looks():
        try:
            run, found = look(seen)
        except DatabaseUnavailable:
            continue
        except RundeskError as error:  # deleted meanwhile, or whoever follows may not any more
            yield _event("gone", seen, {"msg": error.message})
            return
        for event in found:
            seen = event.seen
            yield _event(event.kind, seen, event.data)
        if run.state.final:
            return
        if found:
            spoken = time.monotonic()
        elif time.monotonic() - spoken >= HEARTBEAT:
            spoken = time.monotonic()
            yield b": nothing new\n\n"


def log(run_of: Callable[[], Run], log_of: Callable[[], Path], offset: int) -> Iterator[bytes]:
    """A log from a byte on, while it grows, until its attempt is over."""
    attempt = 0
    for _ in _looks():
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


def _looks() -> Iterator[None]:
    """A turn for each look: until time is up, the process is to end, or nobody listens."""
    end = time.monotonic() + desk().settings.stream_time
    while True:
        yield
        if time.monotonic() >= end or STOPPING.wait(PAUSE) or _gone():
            return


def _gone() -> bool:
    """Whether the other side has closed the connection: a write would tell only much later."""
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
            while block := file.read(BLOCK):
                yield block
    except (NotFound, FileNotFoundError):  # nothing was printed yet
        return


def _event(kind: str, seen: str, data: object) -> bytes:
    return f"event: {kind}\nid: {seen}\ndata: {json.dumps(data)}\n\n".encode()
