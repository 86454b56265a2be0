"""Find a free port, and wait for a condition."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0  # s; far more than anything takes on an idle machine
MIN_INTERVAL_S, MAX_INTERVAL_S = 0.02, 0.3  # between two checks of a condition
INTERVAL_SHARE = 0.05  # of the time waited so far


def free_port() -> int:
    """Return a port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Wait until `condition` returns a true value, and return that. Fail after `seconds`.

    The interval between checks grows with the time waited, so that checks do not slow down what
    they wait for.
    """
    start = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - start
        assert waited < seconds, f"the condition did not become true within {seconds:.0f} s"
        time.sleep(min(max(MIN_INTERVAL_S, INTERVAL_SHARE * waited), MAX_INTERVAL_S))
    return value
