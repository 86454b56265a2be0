"""Tokens: secrets that authenticate a user until they expire or are revoked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.access.actors import scope, token_actor
from services.database import Database
from services.errors import Conflict, Forbidden, Message, NotFound, NotSignedIn
from services.models import Actor, NewToken, Scope, Token, TokenRequest
from services.single_flight import ShortCache

PREFIX = "rdk_"  # recognized by people and by scanners for leaked secrets
SECRET = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
SECRET_BYTES = 32  # random; too many to be guessed, so the digest needs no slow hash
MAX_TOKENS_PER_OWNER = 100  # including those that expired within the last month

NOT_A_TOKEN = Message(
    "invalid_token", "This is not a Rundesk token.", hint="A token starts with `rdk_`."
)
INVALID_TOKEN = Message(
    "invalid_token",
    "Invalid token: it was revoked or does not exist.",
    hint="Create a new token.",
)
EXPIRED_TOKEN = Message(
    "invalid_token", "Invalid token: it expired on {date}.", hint="Create a new token."
)
TOKEN_NOT_FOUND = Message("not_found", "Token not found.")
TOO_MANY_TOKENS = Message(
    "limit_reached", "{owner} already has {limit} tokens.", hint="Revoke a token first."
)
TOKENS_FOR_OTHERS = Message("forbidden", "Only an administrator can create tokens for other users.")
ADMIN_TOKENS = Message(
    "forbidden", "Only an administrator can create tokens with the `admin` scope."
)
TOKEN_MANAGES_TOKENS = Message(
    "forbidden", "Only a token with the `admin` scope can create or revoke tokens."
)


class Tokens:
    """The tokens of all owners."""

    def __init__(self, database: Database) -> None:
        self._store = database.tokens
        self._sessions = database.sessions
        self._known = ShortCache()  # requests at the same moment share one query

    def create(self, actor: Actor, request: TokenRequest) -> NewToken:
        """Create a token. Raises Forbidden beyond the actor's rights, Conflict at the limit."""
        owner = request.owner or actor.id
        _refuse_scoped_tokens(actor)
        if not actor.admin and owner != actor.id:
            raise Forbidden(TOKENS_FOR_OTHERS(), field="owner")
        if not actor.admin and request.scope is Scope.ADMIN:
            raise Forbidden(ADMIN_TOKENS(), field="scope")
        if self._store.count(owner) >= MAX_TOKENS_PER_OWNER:
            raise Conflict(TOO_MANY_TOKENS(owner=owner, limit=MAX_TOKENS_PER_OWNER))
        secret, now = PREFIX + secrets.token_urlsafe(SECRET_BYTES), datetime.now(UTC)
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
        """Return the actor's tokens, newest first; for an administrator those of all users."""
        return self._store.list(scope(actor))

    def revoke(self, actor: Actor, token_id: str) -> None:
        """Revoke a token; other processes reject it within a second. Raises NotFound, Forbidden."""
        _refuse_scoped_tokens(actor)
        if not self._store.delete(token_id, scope(actor)):
            raise NotFound(TOKEN_NOT_FOUND())
        self._sessions.end_all(token_id)
        self._known.forget()

    def actor_of(self, authorization: str) -> Actor:
        """Return the actor of an `Authorization` header. Raises NotSignedIn without a valid token.

        The scheme is Bearer, or Basic with the token as the password: some programs support only
        that.
        """
        secret = _secret(authorization)
        if secret is None:
            raise NotSignedIn(NOT_A_TOKEN())
        return token_actor(self.find(secret))

    def find(self, secret: str) -> Token:
        """Return the token with that secret. Raises NotSignedIn with the reason if invalid."""
        if not SECRET.fullmatch(secret):
            raise NotSignedIn(NOT_A_TOKEN())
        digest, now = _digest(secret), datetime.now(UTC)
        token = self._known.get(digest, lambda: self._store.by_digest(digest, now=now))
        if token is None:
            raise NotSignedIn(INVALID_TOKEN())
        if token.expires <= now:
            raise NotSignedIn(EXPIRED_TOKEN(date=f"{token.expires:%d %B %Y}"))
        return token

    def get_valid(self, token_id: str) -> Token | None:
        """Return the token with that id, or None if it has expired or was revoked."""
        now = datetime.now(UTC)
        token = self._known.get(("id", token_id), lambda: self._store.by_id(token_id, now=now))
        return token if token and token.expires > now else None


def holds_token(authorization: str) -> bool:
    """Whether an `Authorization` header has a token, valid or not, and is not a proxy's own."""
    return _secret(authorization) is not None


def _secret(authorization: str) -> str | None:
    """The secret in an `Authorization` header, if it has the form of a token."""
    scheme, _, secret = authorization.strip().partition(" ")
    secret = secret.strip()
    if scheme.lower() == "basic":
        try:
            secret = base64.b64decode(secret, validate=True).decode("ascii").partition(":")[2]
        except (binascii.Error, ValueError):
            return None
    elif scheme.lower() != "bearer":
        return None
    return secret if SECRET.fullmatch(secret) else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _refuse_scoped_tokens(actor: Actor) -> None:
    """Raise Forbidden for a token without the `admin` scope: a leaked one must not be renewed."""
    if actor.token not in (None, Scope.ADMIN):
        raise Forbidden(TOKEN_MANAGES_TOKENS())
