"""Listing and pruning the shared cache."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

import cli
from services.access.actors import local_actor
from services.errors import Forbidden
from services.models import Actor, State
from tests.helpers.desk import environment
from tests.helpers.waiting import until

ME = local_actor()


@pytest.fixture(scope="module")
def desk(module_desk):
    return module_desk


def test_prune_keeps_entries_that_a_running_run_links_to(desk):
    cache = desk.services.cache
    tomorrow, yesterday = (datetime.now(UTC) + timedelta(days=days) for days in (1, -1))
    assert desk.finished(desk.submit("sharing")).state is State.COMPLETE
    run_id = desk.submit("sharing", seconds=600)
    until((desk.folder(run_id) / "using").exists)
    (entry,) = cache.list(ME)
    assert (entry.size, len(entry.paths)) == (len("shared\n"), 1)
    assert cache.prune(ME, tomorrow) == []
    desk.services.runs.cancel(ME, run_id)
    desk.reaches(run_id, State.CANCELED)
    assert cache.prune(ME, yesterday) == []
    assert [gone.key for gone in cache.prune(ME, tomorrow)] == [entry.key]
    assert cache.list(ME) == []
    again = desk.finished(desk.submit("sharing"))
    assert (again.state, again.error) == (State.COMPLETE, None)


def test_command_lists_and_prunes(desk):
    rundesk, settings = CliRunner(), environment(desk.settings)
    desk.finished(desk.submit("sharing"))
    listed = rundesk.invoke(cli.main, ["cache", "list"], env=settings)
    assert "Entries: 1;" in listed.output
    kept = rundesk.invoke(cli.main, ["cache", "prune"], env=settings)
    assert "Removed entries: 0;" in kept.output
    gone = rundesk.invoke(cli.main, ["cache", "prune", "--days", "0"], env=settings)
    assert "Removed entries: 1;" in gone.output
    assert list(desk.settings.cache.iterdir()) == []


def test_prune_by_other_users_is_refused(desk):
    with pytest.raises(Forbidden):
        desk.services.cache.prune(Actor(id="ann"), datetime.now(UTC))
