"""Sessions: a person's browser is signed in to the portal, until the token it began with ends."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from services.access import actors
from services.access.tokens import Tokens
from services.database import Database
from services.errors import NotSignedIn
from services.models import Actor, NewSession
from services.settings import Settings
from services.single_flight import ShortCache

BYTES = 32  # of chance in a secret; so much cannot be guessed, and needs no slow hash
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
LONGEST = timedelta(days=30)  # a browser that somebody forgot is signed out then
MOST = 50  # sessions of one token; a further one ends the oldest


class Sessions:
    """The sessions of all browsers.

    The browser keeps a secret of its own in a cookie that only the portal reads, and never the
    token: what leaks of the one cannot ask the API. Each look goes to the token itself, so a
    session never allows more, or for longer, than its token does.
    """

    def __init__(self, settings: Settings, database: Database, tokens: Tokens) -> None:
        self._settings = settings
        self._store = database.sessions
        self._tokens = tokens
        self._known = ShortCache()  # a page that polls asks often

    @property
    def cookie(self) -> str:
        """Name of the cookie: of this desk alone. Cookies are told apart by host, not by port."""
        address = self._settings.public_portal_url.encode()
        return f"rundesk-{hashlib.sha256(address).hexdigest()[:12]}"

    def begin(self, given: str) -> NewSession:
        """Sign in with the secret of a token. Raises NotSignedIn with what is wrong with it."""
        token, now = self._tokens.find(given), datetime.now(UTC)
        secret, expires = secrets.token_urlsafe(BYTES), min(token.expires, now + LONGEST)
        self._store.add(_digest(secret), token=token.id, now=now, expires=expires, most=MOST)
        return NewSession(secret=secret, expires=expires)

    def end(self, secret: str) -> None:
        """Sign out, in all tabs of that browser; one that has ended already is no error."""
        self._store.end(_digest(secret))
        self._known.forget()

    def actor_of(self, headers: Mapping[str, str], secret: str) -> Actor:
        """Who opens the portal: whom the proxy names, else who signed in with a token.

        `secret` is what the cookie holds, or "". Raises NotSignedIn.
        """
        if not self._settings.sign_in_by or actors.vouched(self._settings, headers):
            return actors.actor_of(self._settings, headers)
        if not secret:
            raise NotSignedIn(hint="A token of this desk is needed for that.")
        digest = _digest(secret)
        found = None
        if SECRET.fullmatch(secret):
            now = datetime.now(UTC)
            found = self._known.get(digest, lambda: self._store.token_of(digest, now=now))
        token = self._tokens.counting(found) if found else None
        if token is None:
            raise NotSignedIn(
                "You are signed out.",
                hint="You did that, or the token that you signed in with expired or was revoked.",
            )
        return actors.acting(token)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
