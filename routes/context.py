"""What a request needs from around it: the services, who asks, its id."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import cast

from flask import Flask, current_app, g, request

from services import access
from services.bootstrap import Services
from services.links import UPLOADS
from services.models import Actor

#: Query parameters of a signed link; the services read them, views never see them.
SIGNATURE = frozenset({"actor", "expires", "signature"})


def attach(app: Flask, services: Services) -> None:
    """Give the app its services, and every request an id."""
    app.extensions["rundesk"] = services
    app.before_request(_name_request)


def desk() -> Services:
    """The services of this app."""
    found: Services = current_app.extensions["rundesk"]
    return found


def current_actor() -> Actor:
    """Who asks: a signed link says so, else the headers. Raises NotSignedIn."""
    services = desk()
    if signed_link():
        actor = services.links.actor_of(request.path, request.args)
        if actor is not None:
            return actor
    return access.actor_of(services.settings, cast(Mapping[str, str], request.headers))


def signed_link() -> bool:
    """Links are for what a browser opens, so they count for reading only; except for uploads."""
    reads = request.method in ("GET", "HEAD")
    return "signature" in request.args and (reads or request.path.startswith(UPLOADS))


def request_id() -> str:
    """16 hexadecimal characters; in the reply's X-Request-Id and beside every logged error."""
    return str(g.get("request_id", ""))


def _name_request() -> None:
    g.request_id = secrets.token_hex(8)
