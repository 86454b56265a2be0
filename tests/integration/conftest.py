"""Desks at work, for the tests that need runs to happen."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from pymongo import MongoClient

from services.settings import Settings
from tests.desk import Desk, running


@pytest.fixture(scope="module")
def desk(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for all tests of a module; they leave its runner alone."""
    name = f"rundesk_test_{secrets.token_hex(6)}"
    data = tmp_path_factory.mktemp("desk") / "data"
    settings = Settings(data=data, mongodb_uri=mongod, database=name, max_runs=8, run_cores=1)
    with running(settings) as found:
        yield found
    with MongoClient(mongod) as client:
        client.drop_database(name)


@pytest.fixture
def own_desk(settings: Settings) -> Iterator[Desk]:
    """A desk for one test, which may do to it what it likes."""
    with running(settings) as found:
        yield found
