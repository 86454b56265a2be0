"""Protection against pages of other sites, also where no sign-in is configured.

Any page in the user's browser can send requests to 127.0.0.1. Two checks stop it: the Host header
must be a name of this server (which prevents DNS rebinding), and requests that change something
must not come from a page of another origin.
"""

from __future__ import annotations

import time

from flask import Flask, Response, request

from routes.http.context import request_id
from routes.http.errors import FOREIGN_HOST, FOREIGN_ORIGIN, ForeignHost, ForeignOrigin
from routes.http.slow_clients import ClientSocket
from services.access.origins import (
    LOOPBACK_NAMES,
    SAFE_METHODS,
    parse_host,
    parse_origin,
    public_origin,
)
from services.settings import MIB, Settings

MAX_DRAIN_BYTES = 256 * MIB  # of a refused body that are still read, so that the response arrives
DRAIN_TIMEOUT_S = 5.0

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # so that signed links do not leak
    "Cache-Control": "no-store",
}
NO_PAGE = {  # for responses that are not pages
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}


class Guard:
    """The names and ports of this server, and the checks against them."""

    def __init__(self, settings: Settings) -> None:
        public = [public_origin(settings.public_api_url), public_origin(settings.public_portal_url)]
        names = {origin.name for origin in public} | {settings.host.strip("[]").lower()}
        self.hosts = (LOOPBACK_NAMES | names) - {""}
        self.ports = {settings.api_port, settings.portal_port}
        self.origins = frozenset(settings.cors_origins)
        self.ports |= {origin.port for origin in public}

    def install(self, app: Flask) -> None:
        """Check every request before anything else, and add headers to every response."""
        app.extensions["rundesk.guard"] = self
        app.before_request(self.check_host)
        app.before_request(self.check_origin)
        app.after_request(_finish)

    def check_host(self) -> None:
        host = parse_host(request.headers.get("Host", ""))
        if not host or host.name not in self.hosts:
            raise ForeignHost(FOREIGN_HOST(), field="header.Host")

    def check_origin(self) -> None:
        """Refuse changes from pages of other origins. Programs such as curl send no origin."""
        if request.method in SAFE_METHODS:
            return
        origin = request.headers.get("Origin")
        if origin is None:
            foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
        else:
            foreign = not (self.own_origin(origin) or self.listed_origin(origin))
        if foreign:
            raise ForeignOrigin(FOREIGN_ORIGIN(), field="header.Origin")

    def listed_origin(self, origin: str) -> bool:
        """Whether the configuration lets pages of `origin` use the API."""
        return origin in self.origins

    def own_origin(self, origin: str) -> bool:
        """Whether `origin` is the portal or the API, under any name of this server."""
        parts = parse_origin(origin)
        return parts is not None and parts.name in self.hosts and parts.port in self.ports


def _finish(reply: Response) -> Response:
    headers = reply.headers
    present = {name.lower() for name, _ in headers}  # faster than one lookup for each
    defaults = HEADERS if "content-security-policy" in present else HEADERS | NO_PAGE
    for name, value in defaults.items():
        if name.lower() not in present:
            headers.add(name, value)
    headers.add("X-Request-Id", request_id())
    if reply.status_code >= 400 and request.environ.get("wsgi.input_terminated"):
        drain()
    return reply


def drain() -> None:
    """Read the rest of a refused body: a client that is still sending would miss the response."""
    end = time.monotonic() + DRAIN_TIMEOUT_S
    left = MAX_DRAIN_BYTES
    stream = request.environ["wsgi.input"]
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, ClientSocket):
        connection.end_reading_in(DRAIN_TIMEOUT_S)
    try:
        while left > 0 and time.monotonic() < end and (block := stream.read(MIB)):
            left -= len(block)
    except Exception:  # the server's own errors for a broken body; the response exists already
        return
