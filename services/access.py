"""Who asks: the one local user, or the user a signing-in reverse proxy names."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from services.errors import NotSignedIn
from services.models import Actor
from services.settings import Settings

SECRET_HEADER = "X-Rundesk-Secret"
USER = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def local_actor() -> Actor:
    """The one user of a desk without sign-in."""
    return Actor(id="local", admin=True)


def actor_of(settings: Settings, headers: Mapping[str, str]) -> Actor:
    """Who sent these headers. `headers` finds names in any case (Flask's and Streamlit's do).

    Raises NotSignedIn when sign-in is on and the proxy's secret or the user's name is missing.
    """
    if not settings.sign_in:
        return local_actor()
    given = headers.get(SECRET_HEADER) or ""
    user = (headers.get(settings.remote_user_header) or "").strip()
    genuine = hmac.compare_digest(given.encode(), settings.remote_user_secret.encode())
    if not genuine or not USER.fullmatch(user):
        raise NotSignedIn(hint="Open the desk through the address that asks you to sign in.")
    return named(settings, user)


def named(settings: Settings, user: str) -> Actor:
    """The actor of a user's name that is already proven."""
    if not settings.sign_in:
        return local_actor()
    return Actor(id=user, admin=user in settings.admins)


def scope(actor: Actor) -> str | None:
    """The owner to filter by: None (everybody's) for an admin."""
    return None if actor.admin else actor.id
