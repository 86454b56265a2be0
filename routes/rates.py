"""How often: limits on what costs much, and on nothing that is polled.

Each process of the API counts for itself, in memory, within whole minutes.
"""

from __future__ import annotations

import math
import time
from typing import Literal

from flask import Flask, current_app, request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from services.errors import NotSignedIn, RundeskError, TooMany
from services.models import Actor
from services.settings import Settings

Kind = Literal["submit", "upload", "sign-in"]


class Rates:
    """The limits of one desk."""

    def __init__(self, settings: Settings) -> None:
        given: dict[Kind, int] = {
            "submit": settings.rate_submit,
            "upload": settings.rate_uploads,
            "sign-in": settings.rate_sign_in,
        }
        self._limits: dict[Kind, RateLimitItem] = {
            kind: RateLimitItemPerMinute(most) for kind, most in given.items() if most
        }
        self._counted = FixedWindowRateLimiter(MemoryStorage())

    def install(self, app: Flask) -> None:
        app.extensions["rundesk.rates"] = self

    def spend(self, kind: Kind, who: str) -> None:
        """Count one more. Raises TooMany."""
        limit = self._limits.get(kind)
        if limit is None or self._counted.hit(limit, kind, who):
            return
        left = self._counted.get_window_stats(limit, kind, who).reset_time - time.time()
        raise TooMany(
            f"That is more than {limit.amount} in a minute.", seconds=max(1, math.ceil(left))
        )


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
