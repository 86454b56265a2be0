"""Tokens: secrets that count in a user's name, until they expire or are revoked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.access.actors import acting, scope
from services.database import Database
from services.errors import Conflict, Forbidden, NotFound, NotSignedIn
from services.models import Actor, NewToken, Scope, Token, TokenRequest
from services.single_flight import ShortCache

PREFIX = "rdk_"  # by which people and scanners of leaked secrets know one
SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
BYTES = 32  # of chance in a secret; so much cannot be guessed, and needs no slow hash
MOST = 100  # tokens of one owner, those included that expired within the last month


class Tokens:
    """The tokens of all owners."""

    def __init__(self, database: Database) -> None:
        self._store = database.tokens
        self._sessions = database.sessions
        self._known = ShortCache()  # many requests in a moment cost one look

    def create(self, actor: Actor, request: TokenRequest) -> NewToken:
        """Make a token. Raises Forbidden for what exceeds the actor's rights."""
        owner = request.owner or actor.id
        _refuse_others(actor)
        if not actor.admin and owner != actor.id:
            raise Forbidden("Only an administrator makes tokens for others.", field="owner")
        if not actor.admin and request.scope is Scope.ADMIN:
            raise Forbidden("Only an administrator makes tokens of that scope.", field="scope")
        if self._store.count(owner) >= MOST:
            raise Conflict(f"There are {MOST} tokens already.", hint="Revoke some first.")
        secret, now = PREFIX + secrets.token_urlsafe(BYTES), datetime.now(UTC)
        token = self._store.add(
            _digest(secret),
            name=request.name,
            owner=owner,
            scope=request.scope,
            now=now,
            expires=now + timedelta(days=request.days),
        )
        return NewToken(**token.model_dump(), secret=secret)

    def list(self, actor: Actor) -> Sequence[Token]:
        """Newest first; for an administrator everybody's."""
        return self._store.list(scope(actor))

    def revoke(self, actor: Actor, token_id: str) -> None:
        """From now on it counts no more; at most a second later in other processes."""
        _refuse_others(actor)
        if not self._store.delete(token_id, scope(actor)):
            raise NotFound("There is no such token.")
        self._sessions.end_all(token_id)
        self._known.forget()

    def actor_of(self, authorization: str) -> Actor:
        """Who sends this `Authorization`. Raises NotSignedIn unless it holds a token that counts.

        Bearer, or Basic with the token as the password: some programs know only that.
        """
        secret = _secret(authorization)
        if secret is None:
            raise NotSignedIn("This is no token of this desk.", hint="Send `Bearer rdk_…`.")
        return acting(self.find(secret))

    def find(self, secret: str) -> Token:
        """The token with that secret. Raises NotSignedIn unless it counts, and says why not."""
        if not SECRET.fullmatch(secret):
            raise NotSignedIn("This is no token of this desk.", hint="One begins with rdk_.")
        digest, now = _digest(secret), datetime.now(UTC)
        token = self._known.get(digest, lambda: self._store.by_digest(digest, now=now))
        if token is None:
            raise NotSignedIn(
                "This token does not count: it was revoked or never was.", hint="Make a new one."
            )
        if token.expires <= now:
            raise NotSignedIn(
                f"This token does not count: it expired on {token.expires:%d %B %Y}.",
                hint="Make a new one.",
            )
        return token

    def counting(self, token_id: str) -> Token | None:
        """The token with that id, or None when it counts no more."""
        now = datetime.now(UTC)
        token = self._known.get(("id", token_id), lambda: self._store.by_id(token_id, now=now))
        return token if token and token.expires > now else None


def holds_token(authorization: str) -> bool:
    """Whether an `Authorization` is meant for us, good or not: a proxy may leave its own there."""
    return _secret(authorization) is not None


def _secret(authorization: str) -> str | None:
    """What looks like a token of ours in an `Authorization`."""
    kind, _, given = authorization.strip().partition(" ")
    given = given.strip()
    if kind.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode("ascii").partition(":")[2]
        except (binascii.Error, ValueError):
            return None
    elif kind.lower() != "bearer":
        return None
    return given if SECRET.fullmatch(given) else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _refuse_others(actor: Actor) -> None:
    """A token that leaked must not make further ones that outlive it."""
    if actor.token not in (None, Scope.ADMIN):
        raise Forbidden("A token of this scope neither makes nor revokes tokens.")
