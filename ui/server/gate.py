"""Protection of the portal against pages of other sites, before Streamlit sees a request.

Streamlit accepts any Host header, compares origins by name without the port, and asks an address on
the internet about each origin that it does not know. Here both headers have to be exactly those of
the portal, for HTTP and for WebSockets, with sign-in and without.
"""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from services.access.origins import SAFE_METHODS, PortalOrigins
from services.errors import Message, Text
from services.settings import Settings

log = logging.getLogger("rundesk.portal")

LOG_INTERVAL_S = 60  # between two log lines about refused requests
MAX_LOGGED_CHARACTERS = 200  # of a header
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
FOREIGN_HOST = Message(
    "foreign_host",
    "The Host header does not name this portal.",
    hint="Use the configured address. Administrators set it with RUNDESK_PORTAL_URL.",
)
FOREIGN_ORIGIN = Message(
    "foreign_origin",
    "Requests from pages of other sites are not allowed.",
    hint="Open the portal at its configured address. Administrators set it with"
    " RUNDESK_PORTAL_URL.",
)


class RequestGate:
    """Middleware that refuses requests for other hosts and from pages of other origins."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._origins = PortalOrigins(settings)
        self._next_log = 0.0  # by the monotonic clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = self._problem(scope) if scope["type"] in ("http", "websocket") else None
        if problem is None:
            await self._app(scope, receive, send)
            return
        self._log(scope, problem)
        reply = PlainTextResponse(f"{problem} {problem.hint}\n", 403, headers=HEADERS)
        if scope["type"] == "http":
            await reply(scope, receive, send)
        elif "websocket.http.response" in scope.get("extensions", {}):
            await WebSocket(scope, receive, send).send_denial_response(reply)
        else:  # the server responds with 403, without the sentence
            await send({"type": "websocket.close", "code": 1008, "reason": ""})

    def _problem(self, scope: Scope) -> Text | None:
        """Return the reason for which a request is refused, or None.

        Browsers send the origin with every WebSocket and with every request that changes something.
        """
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._origins.is_own_host(hosts[0]):
            return FOREIGN_HOST()
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return None
        if len(origins) != 1 or not self._origins.is_own_origin(origins[0], hosts[0]):
            return FOREIGN_ORIGIN()
        return None

    def _log(self, scope: Scope, problem: Text) -> None:
        """Log a refused request, at most one in LOG_INTERVAL_S: any page can cause many."""
        if (now := time.monotonic()) < self._next_log:
            return
        self._next_log = now + LOG_INTERVAL_S
        headers = Headers(scope=scope)
        host, origin = (
            headers.get(name, "")[:MAX_LOGGED_CHARACTERS] for name in ("host", "origin")
        )
        log.warning("refused a request (%s): Host %r, Origin %r", problem.code, host, origin)
