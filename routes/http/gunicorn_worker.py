"""A worker process of gunicorn that speaks as the rest of the API does.

gunicorn answers by itself what it cannot read as a request; here that is the envelope too. And who
waits in this process for something to happen is told when it is to end.

Its master imports this module before it forks, and with it what libraries take longest: once, for
all workers. Our own modules are imported later, by the worker, so that a reload takes new ones.
"""

from __future__ import annotations

import json
import secrets
import select
import sys
from importlib import import_module
from typing import Any

from gunicorn import util
from gunicorn.http import errors, wsgi
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import ThreadWorker

KINDS = {
    errors.LimitRequestLine: (41400, "URI Too Long"),
    errors.LimitRequestHeaders: (43100, "Request Header Fields Too Large"),
    errors.ExpectationFailed: (41700, "Expectation Failed"),
    errors.UnsupportedTransferCoding: (50100, "Not Implemented"),
}
MALFORMED = (40000, "Bad Request")
OURS = (50000, "Internal Server Error")
BLOCK = 256 * 1024  # bytes of a body; the app reads as many: what lies ahead is copied each time
SOON = 3  # ms in which a client that asks without a pause sends its next request
SHARED = ("flasgger", "jsonschema", "pymongo", "pydantic")
FAULTS = (  # of the app or its settings, though they count as errors of parsing
    errors.ConfigurationProblem,
    errors.InvalidResponseHeader,
    errors.InvalidResponseHeaderName,
)

for name in SHARED:
    import_module(name)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Threads, with our replies."""

    wsgi: Any = None  # the app, once it is imported

    def handle(self, conn: Any) -> Any:
        """Serve a connection, and what is asked on it right after, by the same thread.

        To hand it back takes two changes of threads and four calls of the system, a quarter
        of what a small request takes. Only while there is a thread for every connection.
        """
        result = super().handle(conn)
        while result is True and self.alive and self.nr_conns <= self.cfg.threads:
            next_one = select.poll()
            next_one.register(conn.sock, select.POLLIN)
            if not next_one.poll(SOON):
                break
            result = super().handle(conn)
        return result

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ARG002
        """Answer what is no request, or what failed before or behind the app."""
        request_id = secrets.token_hex(8)
        if isinstance(exc, errors.ParseException) and not isinstance(exc, FAULTS):
            number, reason = KINDS.get(type(exc), MALFORMED)
            self.log.warning("request %s from %s is none: %s", request_id, addr, exc)
        else:
            number, reason = OURS
            self.log.exception("request %s failed", request_id)
        try:
            util.write_nonblock(client, _reply(number, reason, request_id))
        except OSError as error:
            self.log.debug("nobody is there to be told: %s", error)

    def init_signals(self) -> None:
        """From now on it can be asked to end, and is when its master is no more.

        Else it would hold the port, which the next master needs, until it has imported everything.
        """
        from services.host.tether import tether

        super().init_signals()
        tether(self.ppid)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Asked to end: requests at work are finished, those that only wait end now."""
        if self.wsgi is None:  # the app is yet to be imported, and nobody was served
            sys.exit(0)
        sys.modules["routes.http.streams"].STOPPING.set()
        super().handle_exit(sig, frame)


class Reply(wsgi.Response):  # type: ignore[misc]
    """A reply whose headers leave together with the first of its body: one packet, not two."""

    def write(self, block: bytes) -> None:
        if self.headers_sent:
            super().write(block)
            return
        connection = self.sock
        self.sock = held = Held()
        try:
            super().write(block)
        finally:
            self.sock = connection
        connection.sendall(b"".join(held.blocks))


class Held:
    """Stands in for a connection, and keeps what is sent."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def sendall(self, block: bytes) -> None:
        self.blocks.append(block)


# There are no settings for these.
wsgi.Response = Reply
SocketUnreader.max_body_chunk = BLOCK


def _reply(number: int, reason: str, request_id: str) -> bytes:
    from routes.http import errors as problems
    from routes.http import guard

    envelope = {
        "errCode": number,
        "data": None,
        "msg": problems.BY_NUMBER[number].meaning,
        "requestId": request_id,
    }
    body = json.dumps(envelope).encode()
    headers = {
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": len(body),
        "X-Request-Id": request_id,
        **guard.HEADERS,
        **guard.NO_PAGE,
    }
    lines = [f"HTTP/1.1 {number // 100} {reason}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
