"""Rate limits of the API: what is counted, and for whom."""

from __future__ import annotations

from flask import Flask, current_app, request

from services.access.rate_limits import Kind, Rates
from services.errors import NotSignedIn, RundeskError, TooMany
from services.models import Actor
from services.settings import Settings


def install(app: Flask, settings: Settings) -> None:
    """Attach the configured rate limits to the app."""
    app.extensions["rundesk.rates"] = Rates(settings)


def spend(kind: Kind, actor: Actor) -> None:
    """Count a request of this user. Raises TooMany."""
    _rates().spend(kind, actor.id)


def count_failed_sign_in(error: RundeskError) -> RundeskError:
    """Count a failed sign-in, by address. Return the error to respond with.

    That is `error` itself, or TooMany once the limit is exceeded. Valid tokens keep working.
    """
    if isinstance(error, NotSignedIn) and "Authorization" in request.headers:
        try:
            _rates().spend("sign-in", request.remote_addr or "")
        except TooMany as too_many:
            return too_many
    return error


def _rates() -> Rates:
    rates: Rates = current_app.extensions["rundesk.rates"]
    return rates
