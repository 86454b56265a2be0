"""How often: what of the API is counted, and for whom."""

from __future__ import annotations

from flask import Flask, current_app, request

from services.access.rate_limits import Kind, Rates
from services.errors import NotSignedIn, RundeskError, TooMany
from services.models import Actor
from services.settings import Settings


def install(app: Flask, settings: Settings) -> None:
    """Give the app the limits of its desk."""
    app.extensions["rundesk.rates"] = Rates(settings)


def spend(kind: Kind, actor: Actor) -> None:
    """Count what this user does. Raises TooMany."""
    _rates().spend(kind, actor.id)


def told(error: RundeskError) -> RundeskError:
    """What is to be answered: who fails to sign in too often hears so. Good tokens still count."""
    if isinstance(error, NotSignedIn) and "Authorization" in request.headers:
        try:
            _rates().spend("sign-in", request.remote_addr or "")
        except TooMany as enough:
            return enough
    return error


def _rates() -> Rates:
    found: Rates = current_app.extensions["rundesk.rates"]
    return found
