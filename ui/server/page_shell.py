"""The one HTML page of the portal: Streamlit's own, told where it lives and what it may load."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.file_util import get_static_dir

from services.settings import Settings
from ui import context
from ui.server.csp import hashed, joined
from ui.server.sign_in import SignIn, turned_away

#: Left to guess, Streamlit's client asks below the page's own address first, and gets errors.
BASE = "window.__streamlit={{BACKEND_BASE_URL:location.origin+{path}}}"
ASSETS = Path(__file__).parents[1] / "assets"
STYLE, SCRIPTS = "style.css", ("typed.js", "tables.js")
UNUSED = re.compile(r"<link\s+rel=\"preload\"[^>]*as=\"font\"[^>]*>")  # a font that we do not use
Gate = Callable[[Request], Awaitable[Response | None]]


class Shell:
    """Sends our page wherever Streamlit's server sends its own."""

    def __init__(self, app: ASGIApp, settings: Settings, gate: Gate | None = None) -> None:
        """`gate` may answer who asks for the page in another way."""
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
        ours = False

        async def sent(message: Message) -> None:
            nonlocal ours
            if message["type"] == "http.response.start" and _is_page(message):
                ours = True
                other = await self._gate(Request(scope)) if self._gate else None
                await (other or self._reply)(scope, receive, send)
            elif not ours:
                await send(message)

        await self._app(scope, receive, sent if scope["type"] == "http" else send)


def middleware() -> list[Middleware]:
    """For `st.App`: around all that Streamlit's server sends."""
    settings = Settings.load()
    gate = partial(turned_away, settings=settings, services=context.services)
    return [
        Middleware(SignIn, settings=settings, services=context.services),
        Middleware(Shell, settings=settings, gate=gate),
    ]


def _is_page(start: Message) -> bool:
    """Whether a reply that begins so is the page; no other one is HTML."""
    kinds = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return start["status"] == 200 and any(kind.startswith(b"text/html") for kind in kinds)


def _page(settings: Settings) -> str:
    page = (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")
    path = json.dumps(urlsplit(settings.public_portal_url).path.rstrip("/") or "/")
    base = BASE.format(path=path.replace("<", "\\u003c"))
    page = UNUSED.sub("", page).replace("<title>Streamlit</title>", "<title>Rundesk</title>")
    page = page.replace("<head>", f"<head><script>{base}</script>", 1)
    # at the end: after the styles it changes, and there before anything is drawn
    scripts = "".join(f"<script>{_asset(name)}</script>" for name in SCRIPTS)
    end = f"<style>{_asset(STYLE)}</style>{scripts}</body>"
    return page.replace("</body>", end, 1)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _policy(settings: Settings, page: str) -> str:
    """What the page may load: itself, and files and reports from the API; nothing from elsewhere.

    Charts are compiled in the browser ('unsafe-eval'), and components are modules in blobs.
    """
    api = urlsplit(settings.public_api_url)
    files = f"{api.scheme}://{api.netloc}"
    parts = {
        "default-src": ["'self'"],
        "script-src": ["'self'", "'unsafe-eval'", "blob:", *hashed(page, "script")],
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
    return joined(parts)
