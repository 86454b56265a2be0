"""Who may speak to a desk that binds loopback and asks nobody to sign in: not other sites' pages.

A page of any site that the same browser shows can send requests to 127.0.0.1. Two checks stop it:
the Host header must be one of this desk's names (a name that an attacker re-points to 127.0.0.1 is
not), and what changes something must not come from a page of another origin.
"""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from flask import Flask, Response, request

from routes.http.context import request_id
from routes.http.errors import ForeignHost, ForeignOrigin
from services.settings import MIB, Settings

HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]\\]+)(?::([0-9]{1,5}))?")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PORTS = {"http": 80, "https": 443}
LINGER = 256 * MIB  # bytes of a refused body that are still read, so that the reply arrives
LINGER_TIME = 5.0  # s

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # signed links stay here
    "Cache-Control": "no-store",
}
NO_PAGE = {  # a reply that is no page loads nothing
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}


class Guard:
    """The names and ports of one desk, and the checks against them."""

    def __init__(self, settings: Settings) -> None:
        public = [urlsplit(settings.public_api_url), urlsplit(settings.public_portal_url)]
        names = {url.hostname or "" for url in public} | {settings.host.strip("[]").lower()}
        self.hosts = (LOOPBACK | names) - {""}
        self.ports = {settings.api_port, settings.portal_port}
        self.origins = frozenset(settings.cors_origins)
        self.ports |= {url.port or PORTS.get(url.scheme, 80) for url in public}

    def install(self, app: Flask) -> None:
        """Check every request before anything else, and give every reply its headers."""
        app.extensions["rundesk.guard"] = self
        app.before_request(self.check_host)
        app.before_request(self.check_origin)
        app.after_request(_finish)

    def check_host(self) -> None:
        match = HOST.fullmatch(request.headers.get("Host", ""))
        if not match or match.group(1).strip("[]").lower() not in self.hosts:
            raise ForeignHost(
                "This desk is not known under that name.",
                field="header.Host",
                hint="Use its own address; operators set it by RUNDESK_API_URL.",
            )

    def check_origin(self) -> None:
        """Browsers name the origin of what may change something; programs such as curl do not."""
        if request.method in SAFE:
            return
        origin = request.headers.get("Origin")
        if origin is None:
            foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
        else:
            foreign = not (self.own_origin(origin) or self.listed_origin(origin))
        if foreign:
            raise ForeignOrigin(
                "A page of another site may not do that.",
                field="header.Origin",
                hint="Use the portal or a program; operators can list origins that may.",
            )

    def listed_origin(self, origin: str) -> bool:
        """Whether the operators let pages of `origin` use the API."""
        return origin in self.origins

    def own_origin(self, origin: str) -> bool:
        """Whether `origin` is a page of portal or API, under any of the desk's names."""
        try:
            parts = urlsplit(origin)
            port = parts.port or PORTS[parts.scheme]
        except (ValueError, KeyError):
            return False
        return parts.hostname in self.hosts and port in self.ports


def _finish(reply: Response) -> Response:
    headers = reply.headers
    given = {name.lower() for name, _ in headers}  # a look for each by itself costs more
    wanted = HEADERS if "content-security-policy" in given else HEADERS | NO_PAGE
    for name, value in wanted.items():
        if name.lower() not in given:
            headers.add(name, value)
    headers.add("X-Request-Id", request_id())
    if reply.status_code >= 400 and request.environ.get("wsgi.input_terminated"):
        drain()
    return reply


def drain() -> None:
    """Read what is left of a refused body: who is cut off while sending never sees the reply."""
    end = time.monotonic() + LINGER_TIME
    left = LINGER
    stream = request.environ["wsgi.input"]
    try:
        while left > 0 and time.monotonic() < end and (block := stream.read(MIB)):
            left -= len(block)
    except Exception:  # the server's own errors for a broken body; the reply is made already
        return
