"""An installation that the tests of a module share, because starting one is slow."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from services.settings import Settings
from tests.helpers.processes import Servers, serving
from tests.helpers.waiting import free_port


@contextlib.contextmanager
def shared(mongod: str, folder: Path, *names: str, **given: Any) -> Iterator[Servers]:
    """Yield processes of an installation with a database of its own; remove both at the end."""
    defaults: dict[str, Any] = {
        "data": folder / "data",
        "mongodb_uri": mongod,
        "database": f"rundesk_test_{secrets.token_hex(6)}",
        "api_port": free_port(),
        "portal_port": free_port(),
    }
    settings = Settings(**{**defaults, **given})
    try:
        with serving(settings, folder, *names) as servers:
            yield servers
    finally:
        with MongoClient[Any](mongod) as client:
            client.drop_database(settings.database)
