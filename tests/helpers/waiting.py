"""What tests need of the host: a free port, and patience for a condition."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0  # s; far more than anything takes on an idle machine
SHORTEST, LONGEST = 0.02, 0.3  # s between two looks
LATER = 0.05  # of the time that was waited


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Wait for `condition` to give something true, and return that; fails after `seconds`.

    It looks the less often the longer it has waited: what waits long finds out a little later, and
    takes no time from what it waits for.
    """
    begun = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - begun
        assert waited < seconds, f"it did not come true within {seconds:.0f} s"
        time.sleep(min(max(SHORTEST, LATER * waited), LONGEST))
    return found
