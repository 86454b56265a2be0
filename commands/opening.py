"""The services, for commands that need them. Their import takes most of a command's time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from services import bootstrap
from services.settings import Settings


@contextlib.contextmanager
def opened() -> Iterator[bootstrap.Services]:
    """The services for one command. The database is available."""
    services = bootstrap.build(Settings.load())
    try:
        services.database.create_indexes()
        yield services
    finally:
        services.close()
