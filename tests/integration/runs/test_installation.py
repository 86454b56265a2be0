"""The installation as a whole: queue, limits and statistics, on a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.models import Actor, State
from services.runs.installation import Installation
from services.runs.queue_position import Queue
from tests.helpers.scenes import Scenes

ANN, BEN, ROOT = Actor(id="ann"), Actor(id="ben"), Actor(id="root", admin=True)


@pytest.fixture
def scenes(services):
    return Scenes(services, ANN)


def with_settings(services, **changed):
    """The installation with other settings."""
    settings = replace(services.settings, **changed)
    return Installation(settings, services.database, Queue(settings, services.database))


def test_queue_counts_the_runs_of_all_users(services, scenes):
    scenes.running()
    scenes.waiting()
    line = services.installation.queue(BEN)
    assert (line.waiting, line.working, line.reason) == (1, 1, "")
    assert line.taken == services.settings.cores_per_run


def test_queue_low_disk_space_is_the_reason(services):
    line = with_settings(services, disk_floor=2**40).queue(ANN)
    assert line.reason == "Low disk space: no run starts until space is freed."


def test_limits_are_those_of_the_settings(services):
    limits = with_settings(services, max_runs=3, max_runs_per_owner=2, walltime=10).limits(ANN)
    assert (limits.runs, limits.runs_per_owner, limits.seconds_per_attempt) == (3, 2, 600)
    unlimited = with_settings(services, max_runs_per_owner=0, walltime=0).limits(ANN)
    assert (unlimited.runs_per_owner, unlimited.seconds_per_attempt) == (None, None)


def test_statistics_count_what_the_actor_may_see(services, scenes):
    run = scenes.running()
    for actor in (ANN, ROOT):
        found = services.installation.statistics(actor)
        assert found.runs[State.RUNNING] == 1
        assert [one.workflow for one in found.workflows] == [run.workflow]
    assert services.installation.statistics(BEN).workflows == []


def test_usual_seconds_is_the_median_of_completed_runs(services, scenes):
    first = scenes.starting()
    assert services.installation.usual_seconds(first.workflow) is None
    store, now = services.database.runs, datetime.now(UTC)
    store.start(first.id, 1, now=now - timedelta(seconds=100))
    store.end(first.id, 1, State.COMPLETE, now=now)
    assert services.installation.usual_seconds(first.workflow) == pytest.approx(100, abs=1)
