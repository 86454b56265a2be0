"""The HTML page of the portal: Streamlit's own, with its address, our scripts and a CSP."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.settings import Settings
from ui import context, streamlit_internals
from ui.server import csp
from ui.server.gate import RequestGate
from ui.server.sign_in import SignIn, redirect_to_sign_in

ASSETS = Path(__file__).parents[1] / "assets"
STYLE, SCRIPTS = "style.css", ("typed.js", "fields.js", "tables.js", "connection.js")
START_PAGE = "runs"
Gate = Callable[[Request], Awaitable[Response | None]]


class Shell:
    """Middleware that sends our page wherever Streamlit's server sends its own."""

    def __init__(self, app: ASGIApp, settings: Settings, gate: Gate | None = None) -> None:
        """`gate` may return another response to a request for the page, for instance a redirect."""
        self._app = app
        self._gate = gate
        page = _page(settings)
        self._reply = Response(
            page,
            media_type="text/html",
            headers={
                "Cache-Control": "no-cache",
                "Content-Security-Policy": _policy(settings, page),
                "Referrer-Policy": "same-origin",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        replaced = False

        async def send_or_replace(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and _is_page(message):
                replaced = True
                other = _to_start_page(scope)
                if other is None and self._gate:
                    other = await self._gate(Request(scope))
                await (other or self._reply)(scope, receive, send)
            elif not replaced:
                await send(message)

        await self._app(scope, receive, send_or_replace if scope["type"] == "http" else send)


def _to_start_page(scope: Scope) -> Response | None:
    """Redirect from /runs, the name of the start page, which Streamlit serves only at /."""
    path, query = str(scope["path"]), scope.get("query_string", b"").decode("latin-1")
    if path.rstrip("/").rpartition("/")[2] != START_PAGE:
        return None
    target = "../" if path.endswith("/") else "./"
    return Response(status_code=307, headers={"Location": target + (f"?{query}" if query else "")})


def middleware() -> list[Middleware]:
    """Return the middleware for `st.App`."""
    settings = Settings.load()
    gate = partial(redirect_to_sign_in, settings=settings, services=context.services)
    return [
        Middleware(RequestGate, settings=settings),
        Middleware(SignIn, settings=settings, services=context.services),
        Middleware(Shell, settings=settings, gate=gate),
    ]


def _is_page(start: Message) -> bool:
    """Whether a response that starts so is the page: no other response is HTML."""
    types = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return start["status"] == 200 and any(value.startswith(b"text/html") for value in types)


def _page(settings: Settings) -> str:
    base_path = urlsplit(settings.public_portal_url).path.rstrip("/") or "/"
    scripts = "".join(f"<script>{_asset(name)}</script>" for name in SCRIPTS)
    return streamlit_internals.edit_page(
        streamlit_internals.page_template(),
        title="Rundesk",
        first=f"<script>{streamlit_internals.base_url_script(base_path)}</script>",
        last=f"<style>{_asset(STYLE)}</style>{_addresses(settings)}{scripts}",
    )


def _addresses(settings: Settings) -> str:
    """Return the addresses whose servers connection.js checks, as JSON in the page."""
    portal = urlsplit(settings.public_portal_url).path.rstrip("/")
    content = json.dumps({"portal": portal, "api": settings.public_api_url.rstrip("/")})
    quoted = content.replace("<", "\\u003c")
    return f'<script type="application/json" id="rundesk-addresses">{quoted}</script>'


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _policy(settings: Settings, page: str) -> str:
    """Return the policy of the page: it loads its own parts, and files and reports from the API.

    'unsafe-eval' is for charts, which are compiled in the browser; components are modules in blobs.
    """
    api = urlsplit(settings.public_api_url)
    files = f"{api.scheme}://{api.netloc}"
    directives = {
        "default-src": ["'self'"],
        "script-src": ["'self'", "'unsafe-eval'", "blob:", *csp.inline_hashes(page, "script")],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:", files],
        "font-src": ["'self'", "data:"],
        "connect-src": ["'self'", "data:", "blob:", files],
        "frame-src": ["'self'", files],
        "worker-src": ["'self'", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'"],
    }
    return csp.policy(directives)
