"""What a request needs from around it: the services, who asks, its id."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import cast

from flask import Flask, current_app, g, request

from services.access import actors, tokens
from services.access.signed_links import UPLOADS
from services.bootstrap import Services
from services.models import Actor

#: Query parameters of a signed link; the services read them, views never see them.
SIGNATURE = frozenset({"actor", "token", "expires", "signature"})


def attach(app: Flask, services: Services) -> None:
    """Give the app its services, and every request an id."""
    app.extensions["rundesk"] = services
    app.before_request(_name_request)


def desk() -> Services:
    """The services of this app."""
    found: Services = current_app.extensions["rundesk"]
    return found


def current_actor() -> Actor:
    """Who asks: a signed link says so, else a token, else the proxy. Raises NotSignedIn.

    Who sends an Authorization that does not count is nobody, never the local user. Only what the
    proxy left there of its own sign-in is passed over.
    """
    services = desk()
    if signed_link():
        actor = services.links.actor_of(request.path, request.args)
        if actor is not None:
            return actor
    headers = cast(Mapping[str, str], request.headers)
    given = headers.get("Authorization")
    if given is not None and (
        tokens.holds_token(given) or not actors.is_from_proxy(services.settings, headers)
    ):
        return services.tokens.actor_of(given)
    return actors.actor_of(services.settings, headers)


def signed_link() -> bool:
    """Links are for what a browser opens, so they count for reading only; except for uploads."""
    reads = request.method in ("GET", "HEAD")
    return "signature" in request.args and (reads or request.path.startswith(UPLOADS))


def request_id() -> str:
    """16 hexadecimal characters; in the reply's X-Request-Id and beside every logged error."""
    return str(g.get("request_id", ""))


def _name_request() -> None:
    g.request_id = f"{random.getrandbits(64):016x}"
