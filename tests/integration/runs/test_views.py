"""What the pages show: the same as the single calls, read once for all sessions."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from services.errors import NotFound
from services.models import Actor, JobFilter, RunChanges, RunFilter, State
from services.runs.views import Views
from tests.helpers.scenes import Scenes

ANN, ROOT = Actor(id="ann"), Actor(id="root", admin=True)


class Counted:
    """The runs, with a count of each call."""

    def __init__(self, runs) -> None:
        self._runs = runs
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name):
        self.calls[name] += 1
        return getattr(self._runs, name)


@pytest.fixture
def scenes(services):
    return Scenes(services, ANN)


def test_run_and_board_are_what_the_single_calls_return(services, scenes):
    run, wanted = scenes.running(), RunFilter()
    view = services.views.run(ANN, run.id)
    assert view.run == services.runs.get(ANN, run.id)
    assert view.graph == services.runs.graph(ANN, run.id)
    board = services.views.board(ANN, wanted)
    assert board.page == services.runs.list(ANN, wanted)
    assert board.counts == services.runs.counts(ANN)


def test_views_many_sessions_read_once(services, scenes):
    run, runs = scenes.running(), Counted(services.runs)
    views = Views(services.database, runs, services.installation)
    for _ in range(50):
        views.run(ANN, run.id)
        views.board(ANN, RunFilter())
    assert (runs.calls["get"], runs.calls["list"], runs.calls["counts"]) == (1, 1, 1)


def test_views_of_different_owners_are_separate(services, scenes):
    run, ben = scenes.running(), Actor(id="ben")
    assert services.views.run(ROOT, run.id).run.id == run.id
    assert services.views.board(ANN, RunFilter()).page.items
    assert services.views.board(ben, RunFilter()).page.items == []
    for call in (services.views.run, lambda *a: services.views.jobs(*a, JobFilter())):
        with pytest.raises(NotFound):
            call(ben, run.id)


def test_forget_shows_what_was_changed(services, scenes):
    run = scenes.running(name="old")
    services.views.run(ANN, run.id)
    services.runs.update(ANN, run.id, RunChanges(name="new"))
    services.views.forget()
    assert services.views.run(ANN, run.id).run.name == "new"


def test_jobs_are_filtered_by_state_rule_and_page(services, scenes):
    run = scenes.failed()  # prepare is done, search 1 failed

    def rules(**wanted):
        found = services.views.jobs(ANN, run.id, JobFilter(**wanted))
        return [job.rule for job in found.jobs], found.total

    assert rules() == (["prepare", "search"], 2)
    assert rules(state=[State.EXECUTOR_ERROR]) == (["search"], 1)
    assert rules(rule="prepare") == (["prepare"], 1)
    assert rules(rule="$where") == ([], 0)
    assert rules(skip=1, limit=1) == (["search"], 2)
    waiting = scenes.waiting()
    assert services.views.jobs(ANN, waiting.id, JobFilter()).total == 0


def test_run_time_left_is_estimated_from_earlier_runs(services, scenes):
    store = services.database.runs
    first = scenes.starting()
    now = datetime.now(UTC)
    store.start(first.id, 1, now=now - timedelta(seconds=100))
    store.end(first.id, 1, State.COMPLETE, now=now)
    run = scenes.running()
    assert 90 < services.views.run(ANN, run.id).left <= 100
    assert services.views.board(ANN, RunFilter()).left.keys() == {run.id}
    assert services.views.run(ANN, first.id).left is None
