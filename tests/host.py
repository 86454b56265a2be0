"""What tests need of the host: a free port, and patience for a condition."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0  # s; far more than anything takes on an idle machine


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Wait for `condition` to give something true, and return that; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"it did not come true within {seconds:.0f} s"
        time.sleep(0.05)
    return found
