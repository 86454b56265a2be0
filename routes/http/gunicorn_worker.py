"""A gunicorn worker whose own error responses look like those of the rest of the API.

gunicorn itself responds to what is not a valid HTTP request; here it sends the same envelope. When
the process stops, the worker ends the requests that only wait for something.

The master imports this module before it forks, and with it the libraries that take longest to
import, once for all workers. Our own modules are imported later by each worker, so that a reload
uses new code.
"""

from __future__ import annotations

import inspect
import json
import logging
import secrets
import select
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any, ClassVar

from gunicorn import util
from gunicorn.http import errors
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import ThreadWorker

log = logging.getLogger("gunicorn.error")

PARSE_ERRORS = {
    errors.LimitRequestLine: (41400, "URI Too Long"),
    errors.LimitRequestHeaders: (43100, "Request Header Fields Too Large"),
    errors.ExpectationFailed: (41700, "Expectation Failed"),
    errors.UnsupportedTransferCoding: (50100, "Not Implemented"),
}
MALFORMED = (40000, "Bad Request")
UNEXPECTED = (50000, "Internal Server Error")
MAX_RECV_BYTES = 256 * 1024  # the app reads as many; what is read ahead is copied at each read
NEXT_REQUEST_WAIT_MS = 3  # a client that sends one request after another needs less
PRELOADED = ("flasgger", "jsonschema", "pymongo", "pydantic")
OUR_FAULTS = (  # parse errors for gunicorn, but caused by the app or its settings
    errors.ConfigurationProblem,
    errors.InvalidResponseHeader,
    errors.InvalidResponseHeaderName,
)

for name in PRELOADED:
    import_module(name)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """A threaded worker with the error responses of the API."""

    wsgi: Any = None  # the app, once it is imported
    keeps_thread: ClassVar[bool] = False  # see install_patches

    def handle(self, conn: Any) -> Any:
        """Serve a connection, and the requests that follow at once on it, in the same thread.

        Handing the connection back takes two thread switches and four system calls: a fifth of
        the time of a small request. Only while there is a thread for every connection.
        """
        result = super().handle(conn)
        while (
            self.keeps_thread
            and result is True
            and self.alive
            and self.nr_conns <= self.cfg.threads
        ):
            readable = select.poll()
            readable.register(conn.sock, select.POLLIN)
            if not readable.poll(NEXT_REQUEST_WAIT_MS):
                break
            result = super().handle(conn)
        return result

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ARG002
        """Respond to an invalid request, or to an error outside of the app."""
        request_id = secrets.token_hex(8)
        if isinstance(exc, errors.ParseException) and not isinstance(exc, OUR_FAULTS):
            number, reason = PARSE_ERRORS.get(type(exc), MALFORMED)
            self.log.warning("request %s from %s is invalid: %s", request_id, addr, exc)
        else:
            number, reason = UNEXPECTED
            self.log.exception("request %s failed", request_id)
        try:
            util.write_nonblock(client, _reply(number, reason, request_id))
        except OSError as error:
            self.log.debug("the client has disconnected: %s", error)

    def init_signals(self) -> None:
        """Handle signals, and stop when the master is gone.

        Otherwise the worker would hold the port, which the next master needs, until it has
        imported everything.
        """
        from services.host.tether import tether

        super().init_signals()
        tether(self.ppid)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop: requests in progress are finished, those that only wait end now."""
        if self.wsgi is None:  # the app is not yet imported, and no request was served
            sys.exit(0)
        sys.modules["routes.http.streams"].STOPPING.set()
        super().handle_exit(sig, frame)


# ---- private parts of gunicorn -----------------------------------------------------------------


@dataclass(frozen=True)
class Patch:
    """A change to gunicorn that no setting makes."""

    name: str
    missing: Callable[[], str]  # what gunicorn lacks for it; "": nothing
    apply: Callable[[], None]


def install_patches() -> None:
    """Apply each patch, or log one line about it if gunicorn is not as it expects.

    Without a patch the API works as well, only slower. What each gains is measured in
    docs/design: private parts of libraries.
    """
    for patch in PATCHES:
        if missing := patch.missing():
            version = metadata.version("gunicorn")
            log.warning("gunicorn %s: skipped the patch %r: %s", version, patch.name, missing)
        else:
            patch.apply()


def _no_recv_limit() -> str:
    if isinstance(getattr(SocketUnreader, "max_body_chunk", None), int):
        return ""
    return "SocketUnreader.max_body_chunk is not an integer"


def _limit_recv() -> None:
    SocketUnreader.max_body_chunk = MAX_RECV_BYTES


def _no_connection_count() -> str:
    if list(inspect.signature(ThreadWorker.handle).parameters) != ["self", "conn"]:
        return "ThreadWorker.handle does not take a connection"
    if "nr_conns" not in ThreadWorker.__init__.__code__.co_names:
        return "ThreadWorker.nr_conns does not exist"
    return ""


def _keep_thread() -> None:
    Worker.keeps_thread = True


PATCHES = (
    Patch("smaller reads of bodies", _no_recv_limit, _limit_recv),
    Patch("one thread for consecutive requests", _no_connection_count, _keep_thread),
)
install_patches()


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
