"""The sign-in page of the portal: a token becomes a cookie that only the portal reads.

It is served below the portal's own address, not by the API. So the cookie belongs to the portal
even where the API has its own host, and the API accepts no cookie at all.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, quote, urlsplit

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.access.rate_limits import Rates
from services.bootstrap import Services
from services.errors import DatabaseUnavailable, Message, NotSignedIn, RundeskError, TooMany
from services.settings import Settings
from ui.server import csp

ASSETS = Path(__file__).parents[1] / "assets"
SIGN_IN_PATH = "/sign-in"  # below the base path of the portal
#: A page of the portal with its query; has no scheme, host or path, so it stays in the portal.
TARGET = re.compile(r"[a-z]{0,20}(\?[A-Za-z0-9._~%=&+,:@-]{0,1000})?")
MAX_FORM_BYTES = 16 * 1024
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
FOREIGN_PAGE = Message("foreign_origin", "You can sign in only from this page.")
FORM_TOO_LARGE = Message(
    "body_too_large",
    "The form is larger than {limit} bytes.",
    hint="A token is a single line that starts with rdk_.",
)


class SignIn:
    """Middleware that serves the sign-in page and passes every other request to Streamlit."""

    def __init__(self, app: ASGIApp, settings: Settings, services: Callable[[], Services]) -> None:
        self._app = app
        self._services = services
        self._rates = Rates(settings)
        self._enabled = bool(settings.sign_in_by)
        self._public = urlsplit(settings.public_portal_url)
        self._base = self._public.path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = self._base + SIGN_IN_PATH
        if not (self._enabled and scope["type"] == "http" and scope["path"] == path):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if request.method in ("GET", "HEAD"):
            reply = await to_thread.run_sync(self._show, request)
        elif request.method == "POST":
            reply = await self._submit(request)
        else:
            reply = Response(status_code=405, headers={"Allow": "GET, HEAD, POST"})
        await reply(scope, receive, send)

    def _show(self, request: Request) -> Response:
        """Return the form; redirect a user who is signed in to the page they came from."""
        to, notice = _target(request.query_params.get("to", "")), ""
        services = self._services()
        session = request.cookies.get(services.sessions.cookie, "")
        try:
            services.sessions.actor_of(request.headers, session)
            return self._redirect(to)
        except NotSignedIn as error:
            notice = error.message if session else ""
        except DatabaseUnavailable as error:
            return self._page(to, error.message, status=503)
        return self._page(to, notice)

    async def _submit(self, request: Request) -> Response:
        """Sign in with the token of a submitted form."""
        if not self._is_own_page(request):
            return self._page("", str(FOREIGN_PAGE()), status=403)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_FORM_BYTES:
                text = FORM_TOO_LARGE(limit=MAX_FORM_BYTES)
                return self._page("", f"{text} {text.hint}", status=413)
        form = parse_qs(body.decode("utf-8", "replace"))
        token, to = form.get("token", [""])[0].strip(), _target(form.get("to", [""])[0])
        return await to_thread.run_sync(self._start_session, request, token, to)

    def _start_session(self, request: Request, token: str, to: str) -> Response:
        """Redirect to page `to` with the cookie of a new session; end the previous session."""
        sessions = self._services().sessions
        try:
            session = sessions.begin(token)
            if previous := request.cookies.get(sessions.cookie):
                sessions.end(previous)
        except RundeskError as error:
            return self._refused(request, to, error)
        reply = self._redirect(to)
        reply.set_cookie(
            sessions.cookie,
            session.secret,
            expires=session.expires,
            path=self._base or "/",
            secure=self._public.scheme == "https",
            httponly=True,
            samesite="lax",  # sent along when a link in an e-mail opens a run
        )
        return reply

    def _refused(self, request: Request, to: str, error: RundeskError) -> Response:
        """Return the form with the error. Only failed attempts are limited, not valid tokens."""
        try:
            if isinstance(error, NotSignedIn):
                self._rates.spend("sign-in", request.client.host if request.client else "")
        except TooMany as limited:
            notice = f"{limited.message} {limited.hint}"
            reply = self._page(to, notice, status=429)
            reply.headers["Retry-After"] = str(limited.seconds)
            return reply
        status = 503 if isinstance(error, DatabaseUnavailable) else 401
        return self._page(to, f"{error.message} {error.hint}".strip(), status=status)

    def _is_own_page(self, request: Request) -> bool:
        """Whether this page sent the form. Browsers send its origin; other programs need not."""
        origin = request.headers.get("Origin")
        if origin is None:
            return request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
        public = f"{self._public.scheme}://{self._public.netloc}"
        same = urlsplit(origin).netloc == request.headers.get("Host", "").lower()
        return origin == public or (same and origin != "null")

    def _redirect(self, to: str) -> Response:
        return RedirectResponse(f"{self._base}/{to}", status_code=303, headers=HEADERS)

    def _page(self, to: str, notice: str, *, status: int = 200) -> Response:
        wrong = ' wrong" role="alert' if status != 200 else '" role="status'
        page = Template((ASSETS / "sign_in.html").read_text(encoding="utf-8")).substitute(
            base=self._base,
            action=self._base + SIGN_IN_PATH,
            icon=base64.b64encode((ASSETS / "icon.svg").read_bytes()).decode(),
            logo=(ASSETS / "logo.svg").read_text(encoding="utf-8"),
            notice=f'<p id="notice" class="notice{wrong}">{html.escape(notice)}</p>'
            if notice
            else "",
            invalid=' aria-invalid="true" aria-describedby="notice help"'
            if status == 401
            else ' aria-describedby="help"',
            to=html.escape(to),
        )
        return HTMLResponse(page, status, {**HEADERS, "Content-Security-Policy": _policy(page)})


async def redirect_to_sign_in(
    request: Request, settings: Settings, services: Callable[[], Services]
) -> Response | None:
    """Return a redirect to the sign-in page for a user who is not signed in, else None."""
    if not settings.sign_in_by:
        return None

    def check() -> Response | None:
        sessions = services().sessions
        try:
            sessions.actor_of(request.headers, request.cookies.get(sessions.cookie, ""))
        except NotSignedIn:
            return RedirectResponse(sign_in_url(settings, request.url), 303, headers=HEADERS)
        except DatabaseUnavailable:  # the page shows a banner and reconnects
            pass
        return None

    return await to_thread.run_sync(check)


def sign_in_url(settings: Settings, page: object) -> str:
    """Return the address of the sign-in page that returns to `page`, a URL of the portal."""
    parts, base = urlsplit(str(page)), urlsplit(settings.public_portal_url).path.rstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    to = _target(parts.path.removeprefix(base).strip("/") + query)
    return f"{base}{SIGN_IN_PATH}" + (f"?to={quote(to, safe='')}" if to else "")


def _target(to: str) -> str:
    """Return `to` if it is a page of the portal, else the start page."""
    return to if TARGET.fullmatch(to) else ""


def _policy(page: str) -> str:
    """Return the policy of the sign-in page: it loads its font and runs no script."""
    styles = csp.inline_hashes(page, "style")
    return csp.policy(
        {
            "default-src": ["'none'"],
            "style-src": styles,
            "font-src": ["'self'"],
            "img-src": ["data:"],
            "form-action": ["'self'"],
            "base-uri": ["'none'"],
            "frame-ancestors": ["'none'"],
        }
    )
