"""Actors: the local user, a user named by the proxy, or the user of a token; and their rights."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from services.errors import Forbidden, Message, NotSignedIn, Text
from services.models import Actor, Scope, Token
from services.settings import Settings

SECRET_HEADER = "X-Rundesk-Secret"
USER = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
LOCAL = Actor(id="local", admin=True)

TOKEN_REQUIRED = Message(
    "sign_in_required", "Sign in first.", hint="Send a token: `Authorization: Bearer rdk_…`."
)
PROXY_REQUIRED = Message(
    "sign_in_required",
    "Sign in first.",
    hint="Use the address of the proxy that signs users in, or send a token.",
)
READ_ONLY_TOKEN = Message("forbidden", "This token is read-only; use one with the `submit` scope.")


def local_actor() -> Actor:
    """Return the only user of an installation without sign-in."""
    return LOCAL


def actor_of(settings: Settings, headers: Mapping[str, str]) -> Actor:
    """Return the actor of a request with these headers.

    `headers` must ignore the case of names, as those of Flask and Streamlit do. Raises NotSignedIn
    when sign-in is on and the secret of the proxy or the name of the user is missing.
    """
    if not settings.sign_in:
        return local_actor()
    if not settings.remote_user_header:
        raise NotSignedIn(TOKEN_REQUIRED())
    user = (headers.get(settings.remote_user_header) or "").strip()
    if not is_from_proxy(settings, headers) or not USER.fullmatch(user):
        raise NotSignedIn(PROXY_REQUIRED())
    return user_actor(settings, user)


def is_from_proxy(settings: Settings, headers: Mapping[str, str]) -> bool:
    """Whether a request with these headers has the secret of the proxy that signs users in."""
    secret = headers.get(SECRET_HEADER) or ""
    return bool(settings.remote_user_header) and hmac.compare_digest(
        secret.encode(), settings.remote_user_secret.encode()
    )


def user_actor(settings: Settings, user: str) -> Actor:
    """Return the actor of an authenticated user."""
    if not settings.sign_in:
        return local_actor()
    return Actor(id=user, admin=user in settings.admins)


def token_actor(token: Token) -> Actor:
    """Return the actor of an authenticated token."""
    admin = token.scope is Scope.ADMIN
    return Actor(id=token.owner, admin=admin, token=token.scope, token_id=token.id)


def scope(actor: Actor) -> str | None:
    """Return the owner to filter by; None, which means all owners, for an administrator."""
    return None if actor.admin else actor.id


def may_change(actor: Actor) -> bool:
    """Whether an actor may do more than read."""
    return actor.token is not Scope.READ


def check_may_change(actor: Actor) -> None:
    """Raise Forbidden for an actor with a read-only token."""
    if not may_change(actor):
        raise Forbidden(READ_ONLY_TOKEN())


def check_admin(actor: Actor, refusal: Text) -> None:
    """Raise Forbidden with `refusal` unless the actor is an administrator."""
    if not actor.admin:
        raise Forbidden(refusal)
