"""The private part of PyMongo that Rundesk uses: the function that PyMongo runs at exit.

It has no public name. `tests/unit/database/test_shutdown.py` fails when a new version of PyMongo
has moved it.
"""

from __future__ import annotations

import atexit
import importlib
from collections.abc import Callable

MODULE, FUNCTION = "pymongo.synchronous.monitor", "_shutdown_resources"  # as of PyMongo 4.20


def exit_function() -> Callable[[], None] | None:
    """Return what PyMongo has registered with `atexit`; None when it is not there."""
    try:
        function: Callable[[], None] | None = getattr(
            importlib.import_module(MODULE), FUNCTION, None
        )
    except ImportError:
        return None
    return function


def skip_monitor_shutdown() -> None:
    """Keep PyMongo from joining its monitor threads at exit, which takes half a second.

    For processes that end by `os._exit`. Does nothing when PyMongo has no such function.
    """
    if (function := exit_function()) is not None:
        atexit.unregister(function)
