"""Running installations, for the tests that need runs to happen."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from pymongo import MongoClient

from services.bootstrap import Services
from services.settings import Settings
from tests.helpers.api import client_of, open_desk
from tests.helpers.desk import Desk, running
from tests.helpers.processes import Servers, serving
from tests.helpers.waiting import free_port


@pytest.fixture(scope="session")
def desk(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for the tests of many modules; they leave its runner and each other's runs alone."""
    with _at_work(mongod, tmp_path_factory, max_runs=8, run_cores=1) as found:
        yield found


@pytest.fixture(scope="session")
def served(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The API of that desk, in its own process."""
    with serving(desk.settings, tmp_path_factory.mktemp("api"), "api") as servers:
        yield servers


@pytest.fixture(scope="module")
def module_desk(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk for the tests of a module, which look at all that it has."""
    with _at_work(mongod, tmp_path_factory, max_runs=8, run_cores=1) as found:
        yield found


@pytest.fixture(scope="session")
def _stoppable(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with _at_work(mongod, tmp_path_factory) as found:
        yield found


@pytest.fixture
def own_desk(_stoppable: Desk) -> Desk:
    """An installation whose processes a test may stop and kill; its runner is running at first."""
    if not _stoppable.runner.alive:
        _stoppable.runner.start()
    return _stoppable


@contextlib.contextmanager
def _at_work(mongod: str, folders: pytest.TempPathFactory, **given: Any) -> Iterator[Desk]:
    name, folder = f"rundesk_test_{secrets.token_hex(6)}", folders.mktemp("desk")
    (folder / "inbox").mkdir()
    made = Settings(
        data=folder / "data",
        inbox=str(folder / "inbox"),
        mongodb_uri=mongod,
        database=name,
        api_port=free_port(),
        **given,
    )
    with running(made) as found:
        yield found
    with MongoClient[Any](mongod) as client:
        client.drop_database(name)


@pytest.fixture(scope="module")
def module_services(
    request: pytest.FixtureRequest, mongod: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """Services for all tests of a module, with the settings in its constant SETTINGS."""
    given = getattr(request.module, "SETTINGS", {})
    with open_desk(mongod, tmp_path_factory.mktemp("desk"), **given) as services:
        yield services


@pytest.fixture(scope="module")
def module_client(module_services: Services) -> FlaskClient:
    """A client of the API of `module_services`."""
    return client_of(module_services)
