"""The context of a request: the services, the current user, the request id."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import cast

from flask import Flask, current_app, g, request

from services.access import actors, tokens
from services.access.signed_links import UPLOADS
from services.bootstrap import Services
from services.models import Actor

#: Query parameters of a signed link. The services read them; views never see them.
SIGNATURE = frozenset({"actor", "token", "expires", "signature"})


def attach(app: Flask, services: Services) -> None:
    """Attach the services to the app, and an id to every request."""
    app.extensions["rundesk"] = services
    app.before_request(_name_request)


def services() -> Services:
    """Return the services of this app."""
    attached: Services = current_app.extensions["rundesk"]
    return attached


def current_actor() -> Actor:
    """Return the user of this request: by signed link, else token, else proxy.

    Raises NotSignedIn. An invalid Authorization header never falls back to the local user; it is
    ignored only if the signing-in proxy left its own credentials there.
    """
    known = services()
    if signed_link():
        actor = known.links.actor_of(request.path, request.args)
        if actor is not None:
            return actor
    headers = cast(Mapping[str, str], request.headers)
    authorization = headers.get("Authorization")
    if authorization is not None and (
        tokens.holds_token(authorization) or not actors.is_from_proxy(known.settings, headers)
    ):
        return known.tokens.actor_of(authorization)
    return actors.actor_of(known.settings, headers)


def signed_link() -> bool:
    """Whether this request uses a signed link: for reading only, except for uploads."""
    reads = request.method in ("GET", "HEAD")
    return "signature" in request.args and (reads or request.path.startswith(UPLOADS))


def request_id() -> str:
    """Return 16 hexadecimal characters: the X-Request-Id of the response and of log lines."""
    return str(g.get("request_id", ""))


def _name_request() -> None:
    g.request_id = f"{random.getrandbits(64):016x}"
