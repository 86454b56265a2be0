"""What every test can ask for. The database is a real one: one mongod for each test process."""

from __future__ import annotations

import gc
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from services import bootstrap
from services.access.actors import local_actor
from services.bootstrap import Services
from services.database import Database
from services.database.embedded.binary import find
from services.database.embedded.mongod import Mongod
from services.host.launcher import GC_THRESHOLD
from services.models import Actor
from services.settings import Settings
from tests.helpers.waiting import free_port

# As the desk's own programs do while they import.
gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])


def pytest_collection_finish() -> None:
    """All that was imported and collected stays: look for garbage in what tests make only."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # else libraries complain of what they find alive at the end


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a MongoDB for the whole session: MONGODB_URI, or an embedded one of our own."""
    if given := os.environ.get("MONGODB_URI"):
        yield given
        return
    folder, port = tmp_path_factory.mktemp("mongod"), free_port()
    server = Mongod(find(os.environ.get("MONGOD", ""), folder / "lib"), folder / "db", port)
    server.start()
    yield Settings(db_port=port).uri
    server.stop()


@dataclass
class Databases:
    """What tests leave behind is taken away by one client: each new one asks the server anew."""

    client: MongoClient[dict[str, Any]]
    #: Names of those with all indexes and no document: to make one takes a tenth of a second.
    emptied: list[str] = field(default_factory=list)

    def drop(self, name: str) -> None:
        self.client.drop_database(name)

    def empty(self, name: str) -> None:
        """Delete what is in it; most tests store nothing."""
        database = self.client[name]
        if database.command("dbStats")["objects"]:
            for collection in database.list_collection_names():
                database[collection].delete_many({})
        self.emptied.append(name)


@pytest.fixture(scope="session")
def databases(mongod: str) -> Iterator[Databases]:
    with MongoClient[dict[str, Any]](mongod) as client:
        found = Databases(client)
        yield found
        for name in found.emptied:
            found.drop(name)


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, mongod: str, databases: Databases, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a desk of its own: data folder, ports and database; all gone afterwards.

    Where `database` makes the indexes anyway, a database is used that another test has left; what
    makes its own, in a process perhaps, finds none.
    """
    indexed = "database" in request.fixturenames
    name = f"rundesk_test_{secrets.token_hex(6)}"
    if indexed and databases.emptied:
        name = databases.emptied.pop()
    yield Settings(
        data=tmp_path / "data",
        mongodb_uri=mongod,
        database=name,
        api_port=free_port(),
        portal_port=free_port(),
    )
    if indexed:
        databases.empty(name)
    else:
        databases.drop(name)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The database of `settings`, with its indexes and a runner that is alive."""
    opened = Database(settings.uri, settings.database, patience=20)
    opened.create_indexes()
    opened.hosts.beat("host", now=datetime.now(UTC) + timedelta(hours=1))
    yield opened
    opened.close()


@pytest.fixture
def services(settings: Settings, database: Database) -> Iterator[Services]:
    """The services of `settings`, as portal and API build them."""
    built = bootstrap.build(settings)
    yield built
    built.close()


@pytest.fixture
def actor() -> Actor:
    """The one user of a desk without sign-in."""
    return local_actor()
