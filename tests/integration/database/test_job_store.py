"""Jobs and counters from the reports of Snakemake, on a real database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.models import State
from tests.helpers.runs import add_run, claim_run

AT = 1_767_323_045.0
RECORDS = [
    {"type": "plan", "stats": {"map": 2, "all": 1, "total": 3}},
    {"type": "graph", "links": [["map", "all"]]},
    {
        "type": "started",
        "job": 1,
        "rule": "map",
        "wildcards": {"sample": "A"},
        "log": ["logs/a.log"],
        "at": AT,
    },
    {"type": "started", "job": 2, "rule": "map", "wildcards": {"sample": "B"}, "at": AT + 1},
    {"type": "finished", "job": 1, "at": AT + 2},
    {"type": "progress", "done": 1, "total": 3, "at": AT + 2},
    {"type": "failed", "job": 2, "final": True, "at": AT + 3},
]


@pytest.fixture
def run(database):
    add_run(database.runs)
    return claim_run(database.queue).run


def test_apply_creates_jobs_and_counters(database, run):
    database.jobs.apply(run.id, 1, RECORDS)
    first, second = database.jobs.list(run.id, 1)
    assert (first.id, first.rule, first.wildcards) == ("1-1", "map", {"sample": "A"})
    assert (first.state, second.state) == (State.COMPLETE, State.EXECUTOR_ERROR)
    assert first.started == datetime.fromtimestamp(AT, UTC)
    assert (first.ended - first.started).total_seconds() == 2
    progress = database.runs.get(run.id, None).progress
    assert (progress.done, progress.total, progress.failed) == (1, 3, 1)
    plan = database.runs.plan(run.id)
    assert (plan.jobs, plan.links) == ({"map": 2, "all": 1}, [("map", "all")])


def test_apply_again_changes_nothing(database, run):
    database.jobs.apply(run.id, 1, RECORDS)
    before = (database.jobs.list(run.id, 1), database.runs.get(run.id, None))
    database.jobs.apply(run.id, 1, RECORDS)
    assert (database.jobs.list(run.id, 1), database.runs.get(run.id, None)) == before


def test_apply_in_batches_equals_apply_at_once(database, run):
    database.jobs.apply(run.id, 1, RECORDS)
    at_once = database.jobs.list(run.id, 1)
    database.jobs.delete(run.id)
    for record in RECORDS:
        database.jobs.apply(run.id, 1, [record])
    assert database.jobs.list(run.id, 1) == at_once


def test_apply_of_a_failure_that_is_retried_counts_no_failure(database, run):
    database.jobs.apply(run.id, 1, [*RECORDS[:4], {**RECORDS[-1], "final": False}])
    assert database.jobs.get(run.id, "1-2").state is State.RUNNING
    assert database.runs.get(run.id, None).progress.failed == 0


def test_apply_for_a_stale_attempt_leaves_the_run_alone(database, run):
    database.runs.end(run.id, 1, State.QUEUED, now=run.created)
    claim_run(database.queue)
    database.jobs.apply(run.id, 1, RECORDS)
    assert database.runs.get(run.id, None).progress.done == 0
    assert database.jobs.list(run.id, 2) == []


def test_close_ends_only_running_jobs(database, run):
    database.jobs.apply(run.id, 1, RECORDS[:5])
    database.jobs.close(run.id, 1, State.CANCELED, now=run.created)
    states = [job.state for job in database.jobs.list(run.id, 1)]
    assert states == [State.COMPLETE, State.CANCELED]


def test_list_returns_the_jobs_of_one_attempt(database, run):
    database.jobs.apply(run.id, 1, RECORDS)
    database.jobs.apply(run.id, 11, RECORDS[2:3])
    assert len(database.jobs.list(run.id, 1)) == 2
    assert [job.id for job in database.jobs.list(run.id, 11)] == ["11-1"]


@pytest.mark.parametrize("job_id", ["", "1", "1-99", "1-1:", {"$gt": ""}])
def test_get_of_an_unknown_job_is_none(database, run, job_id):
    database.jobs.apply(run.id, 1, RECORDS)
    assert database.jobs.get(run.id, job_id) is None
