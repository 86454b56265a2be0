"""What every test can ask for. The database is a real one: one mongod for each test process."""

from __future__ import annotations

import gc
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient

from services import bootstrap
from services.access import local_actor
from services.bootstrap import Services
from services.database import Database
from services.database.binary import find
from services.database.mongod import Mongod
from services.models import Actor
from services.settings import Settings
from services.startup import OBJECTS
from tests.host import free_port

# As the desk's own programs do while they import.
gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])


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


@pytest.fixture(scope="session")
def emptied(mongod: str) -> Iterator[list[str]]:
    """Names of databases with all indexes and no document: to make one takes half a second."""
    names: list[str] = []
    yield names
    with MongoClient(mongod) as client:
        for name in names:
            client.drop_database(name)


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, mongod: str, emptied: list[str], tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a desk of its own: data folder, ports and database; all gone afterwards.

    Where `database` makes the indexes anyway, a database is used that another test has left; what
    makes its own, in a process perhaps, finds none.
    """
    indexed = "database" in request.fixturenames
    name = emptied.pop() if indexed and emptied else f"rundesk_test_{secrets.token_hex(6)}"
    yield Settings(
        data=tmp_path / "data",
        mongodb_uri=mongod,
        database=name,
        api_port=free_port(),
        portal_port=free_port(),
    )
    with MongoClient(mongod) as client:
        if not indexed:
            client.drop_database(name)
            return
        for collection in client[name].list_collection_names():
            client[name][collection].delete_many({})
    emptied.append(name)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The database of `settings`, with its indexes."""
    opened = Database(settings.uri, settings.database, patience=20)
    opened.create_indexes()
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
