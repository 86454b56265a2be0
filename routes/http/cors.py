"""CORS: pages of the configured origins may use the API from a browser.

Pages of the portal, on another port of the same server, may use the uploads too, and ask whether
the API responds. Responses name the origin only if it is one of these; there is never a wildcard.
"""

from __future__ import annotations

import re

from flask import Flask, Response, request

from routes.http.guard import Guard
from services.access.signed_links import UPLOADS

HEALTH = "/healthz"
METHODS = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, If-Range,"
    " Last-Event-ID, Range, Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata,"
    " Upload-Offset, X-HTTP-Method-Override"
)
EXPOSED_HEADERS = (
    "Content-Disposition, Content-Range, ETag, Location, Retry-After, Rundesk-File,"
    " Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version,"
    " Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, WWW-Authenticate,"
    " X-Request-Id"
)
PREFLIGHT_MAX_AGE_S = 7200
HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~ ,-]{1,2000}")  # tokens of RFC 9110, in a list


class Cors:
    """Lets pages of allowed origins read responses, and answers preflight requests."""

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
        headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        if listed:  # the cookies of a signing-in proxy may be sent along
            headers["Access-Control-Allow-Credentials"] = "true"
        if request.method == "OPTIONS":
            headers["Access-Control-Allow-Methods"] = METHODS
            allowed = _allowed_headers() if listed else REQUEST_HEADERS
            headers["Access-Control-Allow-Headers"] = allowed
            headers.add("Vary", "Access-Control-Request-Headers")
            headers["Access-Control-Max-Age"] = str(PREFLIGHT_MAX_AGE_S)
            if request.headers.get("Access-Control-Request-Private-Network") == "true":
                headers["Access-Control-Allow-Private-Network"] = "true"
        return reply


def _allowed_headers() -> str:
    """Return the headers that a page of a listed origin may send: those it asks for as well.

    Libraries add their own, such as X-Requested-With or traceparent; the API ignores these.
    """
    asked = request.headers.get("Access-Control-Request-Headers", "")
    names = [name.strip() for name in asked.split(",")] if HEADER_NAMES.fullmatch(asked) else []
    if any(" " in name for name in names):
        names = []
    known = {name.strip().lower() for name in REQUEST_HEADERS.split(",")}
    return ", ".join(
        [REQUEST_HEADERS, *(name for name in names if name and name.lower() not in known)]
    )
