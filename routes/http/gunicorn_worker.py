"""A gunicorn worker whose own error responses look like those of the rest of the API.

gunicorn itself responds to what is not a valid HTTP request; here it sends the same envelope. When
the process stops, the worker ends the requests that only wait for something.

The master imports this module before it forks, and with it the libraries that take longest to
import, once for all workers. Our own modules, except the one for slow clients, are imported later
by each worker, so that a reload uses new code.
"""

from __future__ import annotations

import inspect
import json
import logging
import secrets
import select
import selectors
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from typing import Any, ClassVar

from gunicorn import util
from gunicorn.http import errors
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from routes.http.slow_clients import HEAD_TIMEOUT_S, ClientSocket

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
MAX_QUICK_BODY_BYTES = MAX_RECV_BYTES  # a request with a larger body is an upload
STOP_TIMEOUT_S = 2.0  # of a stopping worker, for heads that have not arrived
TOO_SLOW = (40800, "Request Timeout")
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
    limits_clients: ClassVar[bool] = False  # see install_patches

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.request_places = threading.Semaphore(self.cfg.threads)
        self.upload_places = threading.Semaphore(max(1, self.cfg.threads // 2))

    def get_thread_pool(self) -> futures.ThreadPoolExecutor:
        """Return a pool with a thread for every connection, most of which only wait.

        Threads are started when they are needed. `--threads` limits how many work at once.
        """
        if not self.limits_clients:
            return futures.ThreadPoolExecutor(self.cfg.threads)
        return futures.ThreadPoolExecutor(self.cfg.worker_connections)

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection to a thread when the head of its request has arrived."""
        if not self.limits_clients:
            super().enqueue_req(conn)
            return
        if isinstance(conn.sock, ClientSocket):
            conn.sock.begin_head()
        else:
            conn.sock = ClientSocket.of(conn.sock)
        read_ahead = conn.parser is not None and conn.parser.unreader.buf.getvalue()
        if read_ahead or conn.sock.head_arrived():
            conn.data_ready = True
            super().enqueue_req(conn)
            return
        conn.timeout = conn.sock.deadline
        self.pending_conns.append(conn)
        arrived = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, arrived)

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        if not self.limits_clients or conn.sock.head_arrived():
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            conn.data_ready = True
            super().enqueue_req(conn)

    def murder_pending(self) -> None:
        """Refuse requests whose head has not arrived in time, and close silent connections."""
        now = time.monotonic()
        early = 0.0 if self.alive else HEAD_TIMEOUT_S - STOP_TIMEOUT_S
        for conn in self.pending_conns:
            if conn.timeout - early > now:
                break
            conn.timeout = now
            if self.limits_clients and conn.sock.has_begun:
                self._refuse(conn.sock, *TOO_SLOW, secrets.token_hex(8))
        super().murder_pending()

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Work on a request in a place of its class."""
        if not self.limits_clients:
            return super().handle_request(req, conn)
        places = self.upload_places if _is_upload(req.headers) else self.request_places
        with conn.sock.working(places):
            return super().handle_request(req, conn)

    def handle(self, conn: Any) -> Any:
        """Serve a connection, and the requests that follow at once on it, in the same thread.

        Handing the connection back takes two thread switches and four system calls: a fifth of
        the time of a small request. There is a thread for every connection.
        """
        result = super().handle(conn)
        if self.limits_clients and conn.sock.handed_over:
            return False
        while self.keeps_thread and result is True and self.alive:
            readable = select.poll()
            readable.register(conn.sock, select.POLLIN)
            if not (conn.sock.has_begun or readable.poll(NEXT_REQUEST_WAIT_MS)):
                break
            conn.sock.begin_head()
            result = super().handle(conn)
        if self.limits_clients and not result:
            conn.sock.end()
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
        self._refuse(client, number, reason, request_id)

    def _refuse(self, client: Any, number: int, reason: str, request_id: str) -> None:
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


HOOKS = {  # methods of ThreadWorker that are overridden to limit slow clients
    "handle": ["self", "conn"],
    "enqueue_req": ["self", "conn"],
    "get_thread_pool": ["self"],
    "handle_request": ["self", "req", "conn"],
    "murder_pending": ["self"],
    "on_pending_socket_readable": ["self", "conn", "client"],
}


def _no_hooks() -> str:
    for name, parameters in HOOKS.items():
        method = getattr(ThreadWorker, name, None)
        if method is None or list(inspect.signature(method).parameters) != parameters:
            return f"ThreadWorker.{name} does not take {', '.join(parameters)}"
    if not {"pending_conns", "poller"} <= set(ThreadWorker.__init__.__code__.co_names):
        return "ThreadWorker.pending_conns or poller does not exist"
    if not {"sock", "timeout", "data_ready", "parser"} <= set(TConn.__init__.__code__.co_names):
        return "TConn.sock, timeout or data_ready does not exist"
    return ""


def _limit_clients() -> None:
    Worker.limits_clients = True


def _no_client_limits() -> str:
    return "" if Worker.limits_clients else "there is not a thread for every connection"


def _keep_thread() -> None:
    Worker.keeps_thread = True


PATCHES = (
    Patch("smaller reads of bodies", _no_recv_limit, _limit_recv),
    Patch("limits for slow clients", _no_hooks, _limit_clients),
    Patch("one thread for consecutive requests", _no_client_limits, _keep_thread),
)
install_patches()


def _is_upload(headers: Iterable[tuple[str, str]]) -> bool:
    """Return whether a request has a large body, or one of unknown length."""
    for name, value in headers:
        if name == "TRANSFER-ENCODING":
            return True
        if name == "CONTENT-LENGTH":
            return int(value) > MAX_QUICK_BODY_BYTES
    return False


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
