"""Which other pages may use the API from a browser: those of the configured origins.

Pages of the portal, on another port of the same host, may use the uploads and read the health check
too. An origin is named back only when it is one of these, never as a wildcard.
"""

from __future__ import annotations

from flask import Flask, Response, request

from routes.http.guard import Guard
from services.access.signed_links import UPLOADS

HEALTH = "/healthz"
METHODS = "GET, HEAD, POST, PATCH, DELETE"
SENT = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, If-Range,"
    " Last-Event-ID, Range, Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata,"
    " Upload-Offset, X-HTTP-Method-Override"
)
SHOWN = (
    "Content-Disposition, Content-Range, ETag, Location, Retry-After, Rundesk-File,"
    " Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version,"
    " Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, WWW-Authenticate,"
    " X-Request-Id"
)
REMEMBERED = 7200  # s for which a browser need not ask again


class Cors:
    """Lets pages of some origins read replies, and answers a browser that asks beforehand."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def install(self, app: Flask) -> None:
        app.after_request(self.allow)

    def allow(self, reply: Response) -> Response:
        headers, origin = reply.headers, request.headers.get("Origin", "")
        headers.add("Vary", "Origin")
        listed = self._guard.listed_origin(origin)
        for_portal = request.path.startswith(UPLOADS) or request.path == HEALTH
        if not listed and not (for_portal and self._guard.own_origin(origin)):
            return reply
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = SHOWN
        if listed:  # what a signing-in proxy knows its users by may come along
            headers["Access-Control-Allow-Credentials"] = "true"
        if request.method == "OPTIONS":
            headers["Access-Control-Allow-Methods"] = METHODS
            headers["Access-Control-Allow-Headers"] = SENT
            headers["Access-Control-Max-Age"] = str(REMEMBERED)
            if request.headers.get("Access-Control-Request-Private-Network") == "true":
                headers["Access-Control-Allow-Private-Network"] = "true"
        return reply
