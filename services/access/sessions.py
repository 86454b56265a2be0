"""Sessions: browsers signed in to the portal with a token, at most for as long as it is valid."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from services.access import actors
from services.access.tokens import Tokens
from services.database import Database
from services.errors import Message, NotSignedIn
from services.models import Actor, NewSession
from services.settings import Settings
from services.single_flight import ShortCache

SECRET_BYTES = 32  # random; too many to be guessed, so the digest needs no slow hash
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
MAX_SESSION_LIFETIME = timedelta(days=30)
MAX_SESSIONS_PER_TOKEN = 50  # a further session ends the oldest one

SIGN_IN_REQUIRED = Message(
    "sign_in_required", "Sign in first.", hint="Sign in with a Rundesk token."
)
SIGNED_OUT = Message(
    "sign_in_required",
    "You are signed out.",
    hint="You signed out, or the token that you signed in with has expired or was revoked.",
)


class Sessions:
    """The sessions of all browsers.

    The browser keeps a session secret, never the token, in a cookie that only the portal reads: a
    leaked cookie does not authenticate API requests. Each request checks the token itself, so a
    session never allows more, or lasts longer, than its token.
    """

    def __init__(self, settings: Settings, database: Database, tokens: Tokens) -> None:
        self._settings = settings
        self._store = database.sessions
        self._tokens = tokens
        self._known = ShortCache()  # pages poll often

    @property
    def cookie(self) -> str:
        """Name of the cookie, different for each portal URL because cookies ignore ports."""
        address = self._settings.public_portal_url.encode()
        return f"rundesk-{hashlib.sha256(address).hexdigest()[:12]}"

    def begin(self, token_secret: str) -> NewSession:
        """Sign in with the secret of a token. Raises NotSignedIn with the problem of the token."""
        token, now = self._tokens.find(token_secret), datetime.now(UTC)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        expires = min(token.expires, now + MAX_SESSION_LIFETIME)
        digest, most = _digest(secret), MAX_SESSIONS_PER_TOKEN
        self._store.add(digest, token=token.id, now=now, expires=expires, most=most)
        return NewSession(secret=secret, expires=expires)

    def end(self, secret: str) -> None:
        """Sign out all tabs of that browser; does nothing if the session has ended."""
        self._store.end(_digest(secret))
        self._known.forget()

    def actor_of(self, headers: Mapping[str, str], secret: str) -> Actor:
        """Return the user of the portal: the one the proxy names, else that of the session's token.

        `secret` is the value of the cookie, or "". Raises NotSignedIn.
        """
        if not self._settings.sign_in_by or actors.is_from_proxy(self._settings, headers):
            return actors.actor_of(self._settings, headers)
        if not secret:
            raise NotSignedIn(SIGN_IN_REQUIRED())
        digest = _digest(secret)
        token_id = None
        if SECRET.fullmatch(secret):
            now = datetime.now(UTC)
            token_id = self._known.get(digest, lambda: self._store.token_of(digest, now=now))
        token = self._tokens.get_valid(token_id) if token_id else None
        if token is None:
            raise NotSignedIn(SIGNED_OUT())
        return actors.token_actor(token)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
