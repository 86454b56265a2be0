"""Who asks, and what they may: the one local user, a user the proxy names, or one with a token."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from services.errors import Forbidden, NotSignedIn
from services.models import Actor, Scope, Token
from services.settings import Settings

SECRET_HEADER = "X-Rundesk-Secret"
USER = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
LOCAL = Actor(id="local", admin=True)


def local_actor() -> Actor:
    """The one user of a desk without sign-in."""
    return LOCAL


def actor_of(settings: Settings, headers: Mapping[str, str]) -> Actor:
    """Who sent these headers. `headers` finds names in any case (Flask's and Streamlit's do).

    Raises NotSignedIn when sign-in is on and the proxy's secret or the user's name is missing.
    """
    if not settings.sign_in:
        return local_actor()
    if not settings.remote_user_header:
        raise NotSignedIn(hint="Send a token: `Authorization: Bearer rdk_…`.")
    user = (headers.get(settings.remote_user_header) or "").strip()
    if not vouched(settings, headers) or not USER.fullmatch(user):
        raise NotSignedIn(
            hint="Open the desk through the address that asks you to sign in, or send a token."
        )
    return named(settings, user)


def vouched(settings: Settings, headers: Mapping[str, str]) -> bool:
    """Whether the signing-in proxy passed this on."""
    given = headers.get(SECRET_HEADER) or ""
    return bool(settings.remote_user_header) and hmac.compare_digest(
        given.encode(), settings.remote_user_secret.encode()
    )


def named(settings: Settings, user: str) -> Actor:
    """The actor of a user's name that is already proven."""
    if not settings.sign_in:
        return local_actor()
    return Actor(id=user, admin=user in settings.admins)


def acting(token: Token) -> Actor:
    """The actor of a token that is already proven."""
    admin = token.scope is Scope.ADMIN
    return Actor(id=token.owner, admin=admin, token=token.scope, token_id=token.id)


def scope(actor: Actor) -> str | None:
    """The owner to filter by: None (everybody's) for an admin."""
    return None if actor.admin else actor.id


def may_change(actor: Actor) -> bool:
    """Whether an actor may do more than look."""
    return actor.token is not Scope.READ


def check_may_change(actor: Actor) -> None:
    """Raises Forbidden for who may only look."""
    if not may_change(actor):
        raise Forbidden(
            "This token allows only to look.", hint="Use one of the scope `submit` for that."
        )


def check_admin(actor: Actor, does: str) -> None:
    """Raises Forbidden: "Only an administrator `does`."."""
    if not actor.admin:
        raise Forbidden(f"Only an administrator {does}.")
