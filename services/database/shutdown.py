"""The private parts of PyMongo that Rundesk uses.

`tests/unit/database/test_shutdown.py` fails when a new version of PyMongo has moved them.
"""

from __future__ import annotations

import atexit

from pymongo.synchronous import monitor

EXIT_FUNCTION = "_shutdown_resources"  # of pymongo.synchronous.monitor, as of PyMongo 4.20


def skip_monitor_shutdown() -> None:
    """Keep PyMongo from joining its monitor threads at exit, which takes half a second.

    For processes that end by `os._exit`. Where PyMongo has no such function nothing happens.
    """
    atexit.unregister(getattr(monitor, EXIT_FUNCTION, lambda: None))
