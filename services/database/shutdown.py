"""For processes that end by `os._exit`: what the driver would do at exit is lost time for them."""

from __future__ import annotations

import atexit

from pymongo.synchronous import monitor


def leave_quickly() -> None:
    """Keep the driver from joining its monitor threads at exit; it takes half a second.

    The function has no public name (pymongo 4.20); where it is absent nothing happens.
    """
    atexit.unregister(getattr(monitor, "_shutdown_resources", lambda: None))
