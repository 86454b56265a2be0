"""How often: limits on what costs much, and on nothing that is polled.

Each process counts for itself, in memory, within whole minutes.
"""

from __future__ import annotations

import math
import time
from typing import Literal

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from services.errors import TooMany
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

    def spend(self, kind: Kind, who: str) -> None:
        """Count one more. Raises TooMany."""
        limit = self._limits.get(kind)
        if limit is None or self._counted.hit(limit, kind, who):
            return
        left = self._counted.get_window_stats(limit, kind, who).reset_time - time.time()
        raise TooMany(
            f"That is more than {limit.amount} in a minute.", seconds=max(1, math.ceil(left))
        )
