"""Rate limits of expensive requests; requests that clients poll have none.

Each process counts separately, in memory, within fixed windows of one minute.
"""

from __future__ import annotations

import math
import time
from typing import Literal

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from services.errors import Message, TooMany
from services.settings import Settings

Kind = Literal["submit", "upload", "sign-in"]

RATE_EXCEEDED = Message(
    "too_many_requests",
    "Rate limit exceeded: {count} requests per minute.",
    one="Rate limit exceeded: 1 request per minute.",
    hint="Try again in {seconds} s.",
)


class Rates:
    """The rate limits of this server."""

    def __init__(self, settings: Settings) -> None:
        limits: dict[Kind, int] = {
            "submit": settings.rate_submit,
            "upload": settings.rate_uploads,
            "sign-in": settings.rate_sign_in,
        }
        self._limits: dict[Kind, RateLimitItem] = {
            kind: RateLimitItemPerMinute(limit) for kind, limit in limits.items() if limit
        }
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def spend(self, kind: Kind, who: str) -> None:
        """Count one request of `who`, a user or an IP address. Raises TooMany."""
        limit = self._limits.get(kind)
        if limit is None or self._limiter.hit(limit, kind, who):
            return
        left = self._limiter.get_window_stats(limit, kind, who).reset_time - time.time()
        seconds = max(1, math.ceil(left))
        raise TooMany(RATE_EXCEEDED(count=limit.amount, seconds=seconds), seconds=seconds)
