"""A desk that the tests of a module share: starting one takes longer than most of them."""

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
    """Processes of a desk over a database of its own; both are gone afterwards."""
    made: dict[str, Any] = {
        "data": folder / "data",
        "mongodb_uri": mongod,
        "database": f"rundesk_test_{secrets.token_hex(6)}",
        "api_port": free_port(),
        "portal_port": free_port(),
    }
    settings = Settings(**{**made, **given})
    try:
        with serving(settings, folder, *names) as servers:
            yield servers
    finally:
        with MongoClient[Any](mongod) as client:
            client.drop_database(settings.database)
