"""The sign-in page of the portal: a token becomes a cookie that only the portal reads.

It lies below the portal's own address, beside Streamlit's pages, and not at the API: so the cookie
belongs to the portal also where the API has a host of its own, and the API takes no cookie at all.
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
from services.errors import DatabaseUnavailable, NotSignedIn, RundeskError, TooMany
from services.settings import Settings
from ui.server.csp import hashed, joined

ASSETS = Path(__file__).parents[1] / "assets"
PLACE = "/sign-in"
#: A page of the portal with its query: no scheme, host or path that leads elsewhere.
TARGET = re.compile(r"[a-z]{0,20}(\?[A-Za-z0-9._~%=&+,:@-]{0,1000})?")
LONGEST = 16 * 1024  # bytes of a form
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class SignIn:
    """Answers at its own place; everything else is Streamlit's."""

    def __init__(self, app: ASGIApp, settings: Settings, services: Callable[[], Services]) -> None:
        self._app = app
        self._services = services
        self._rates = Rates(settings)
        self._offered = bool(settings.sign_in_by)
        self._public = urlsplit(settings.public_portal_url)
        self._base = self._public.path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = self._offered and scope["type"] == "http" and scope["path"] == self._base + PLACE
        if not ours:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if request.method in ("GET", "HEAD"):
            reply = await to_thread.run_sync(self._ask, request)
        elif request.method == "POST":
            reply = await self._take(request)
        else:
            reply = Response(status_code=405, headers={"Allow": "GET, HEAD, POST"})
        await reply(scope, receive, send)

    def _ask(self, request: Request) -> Response:
        """The form, or straight on for who is signed in."""
        to, told = _target(request.query_params.get("to", "")), ""
        services = self._services()
        given = request.cookies.get(services.sessions.cookie, "")
        try:
            services.sessions.actor_of(request.headers, given)
            return self._on(to)
        except NotSignedIn as error:
            told = error.message if given else ""
        except DatabaseUnavailable as error:
            return self._page(to, error.message, status=503)
        return self._page(to, told)

    async def _take(self, request: Request) -> Response:
        """Sign in with the token of the form."""
        if not self._own(request):
            return self._page("", "A page of another site may not sign you in.", status=403)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST:
                return self._page("", "That is larger than a token can be.", status=413)
        form = parse_qs(body.decode("utf-8", "replace"))
        token, to = form.get("token", [""])[0].strip(), _target(form.get("to", [""])[0])
        return await to_thread.run_sync(self._begin, request, token, to)

    def _begin(self, request: Request, token: str, to: str) -> Response:
        sessions = self._services().sessions
        try:
            made = sessions.begin(token)
            if before := request.cookies.get(sessions.cookie):
                sessions.end(before)
        except RundeskError as error:
            return self._refused(request, to, error)
        reply = self._on(to)
        reply.set_cookie(
            sessions.cookie,
            made.secret,
            expires=made.expires,
            path=self._base or "/",
            secure=self._public.scheme == "https",
            httponly=True,
            samesite="lax",  # it comes along when a link of a mail leads to a run
        )
        return reply

    def _refused(self, request: Request, to: str, error: RundeskError) -> Response:
        """What is wrong, in words. Who tries too often hears that; a good token counts still."""
        try:
            if isinstance(error, NotSignedIn):
                self._rates.spend("sign-in", request.client.host if request.client else "")
        except TooMany as enough:
            words = f"{enough.message} {enough.hint}"
            reply = self._page(to, words, status=429)
            reply.headers["Retry-After"] = str(enough.seconds)
            return reply
        status = 503 if isinstance(error, DatabaseUnavailable) else 401
        return self._page(to, f"{error.message} {error.hint}".strip(), status=status)

    def _own(self, request: Request) -> bool:
        """Whether a form was sent by this page. Browsers name its origin; programs do not."""
        origin = request.headers.get("Origin")
        if origin is None:
            return request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
        public = f"{self._public.scheme}://{self._public.netloc}"
        same = urlsplit(origin).netloc == request.headers.get("Host", "").lower()
        return origin == public or (same and origin != "null")

    def _on(self, to: str) -> Response:
        return RedirectResponse(f"{self._base}/{to}", status_code=303, headers=HEADERS)

    def _page(self, to: str, told: str, *, status: int = 200) -> Response:
        wrong = ' wrong" role="alert' if status != 200 else '" role="status'
        page = Template((ASSETS / "sign_in.html").read_text(encoding="utf-8")).substitute(
            base=self._base,
            action=self._base + PLACE,
            icon=base64.b64encode((ASSETS / "icon.svg").read_bytes()).decode(),
            logo=(ASSETS / "logo.svg").read_text(encoding="utf-8"),
            told=f'<p id="told" class="told{wrong}">{html.escape(told)}</p>' if told else "",
            invalid=' aria-invalid="true" aria-describedby="told help"'
            if status == 401
            else ' aria-describedby="help"',
            to=html.escape(to),
        )
        return HTMLResponse(page, status, {**HEADERS, "Content-Security-Policy": _policy(page)})


async def turned_away(
    request: Request, settings: Settings, services: Callable[[], Services]
) -> Response | None:
    """For who opens a page of the portal and is not signed in: on to the sign-in page."""
    if not settings.sign_in_by:
        return None

    def ask() -> Response | None:
        sessions = services().sessions
        try:
            sessions.actor_of(request.headers, request.cookies.get(sessions.cookie, ""))
        except NotSignedIn:
            return RedirectResponse(address(settings, request.url), 303, headers=HEADERS)
        except DatabaseUnavailable:  # the page says so, and comes back by itself
            pass
        return None

    return await to_thread.run_sync(ask)


def address(settings: Settings, page: object) -> str:
    """Where to sign in, from a page of the portal, and back to it afterwards."""
    parts, base = urlsplit(str(page)), urlsplit(settings.public_portal_url).path.rstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    to = _target(parts.path.removeprefix(base).strip("/") + query)
    return f"{base}{PLACE}" + (f"?to={quote(to, safe='')}" if to else "")


def _target(to: str) -> str:
    return to if TARGET.fullmatch(to) else ""


def _policy(page: str) -> str:
    """The page loads its font and runs nothing."""
    styles = hashed(page, "style")
    return joined(
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
