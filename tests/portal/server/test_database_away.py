from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.database.embedded.binary import find
from services.database.embedded.mongod import Mongod
from services.settings import Settings
from tests.helpers.waiting import free_port
from ui import errors


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mongod]:
    """A MongoDB that the test may stop."""
    port = free_port()
    mongod = Mongod(find("", tmp_path / "lib"), tmp_path / "db", port)
    mongod.start()
    yield mongod
    mongod.stop()


@pytest.fixture
def settings(settings: Settings, server: Mongod) -> Settings:
    return replace(settings, mongodb_uri=Settings(db_port=server.port).uri)


def test_unavailable_database_shows_a_banner_and_keeps_pages_until_it_is_back(
    portal, scenes, server, monkeypatch
):
    run = scenes.complete(name="my run")
    opened = portal("run", id=run.id)
    form = portal("new", workflow="shapes")
    server.stop()
    form.text_input(key="field-label").set_value("typed meanwhile").run()
    fresh = portal()
    for session in (opened.run(), form, fresh):
        assert not session.exception
        assert len(session.warning) == 1
        assert "The database is not responding" in session.warning[0].value
        assert session.title
    assert opened.title[0].value == "my run"
    assert list(opened.dataframe[0].value["Step"]) == ["prepare", "search", "report"]
    assert form.text_input(key="field-label").value == "typed meanwhile"

    server.start()
    monkeypatch.setattr(errors, "RECONNECT_INTERVAL_S", 0.0)  # the timer is the browser's
    for session in (opened.run(), form.run(), fresh.run()):
        assert not session.exception
        assert not session.warning
    assert list(fresh.dataframe[0].value["Name"]) == ["my run"]
    assert form.text_input(key="field-label").value == "typed meanwhile"
