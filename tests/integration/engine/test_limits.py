"""Limits of a run, its attempts, and the order of the queue."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import pytest
from pymongo import MongoClient

from services.access.actors import local_actor
from services.host import processes
from services.models import Actor, CauseKind, Run, RunFilter, RunRequest, State
from services.runs.queue_position import NO_RUNNER
from services.settings import MIB, Settings
from tests.helpers.desk import Desk, running
from tests.helpers.waiting import until

ME = local_actor()
ANN, BEN = Actor(id="ann"), Actor(id="ben")
TAKEN = "Run limit reached (2 running runs)."


@pytest.fixture(scope="module")
def desk(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Limits: two runs at a time, two attempts after system errors, a log of 1 MiB."""
    name = f"rundesk_test_{secrets.token_hex(6)}"
    data = tmp_path_factory.mktemp("desk") / "data"
    settings = Settings(data=data, mongodb_uri=mongod, database=name)
    limits = {"max_runs": 2, "cores": 2, "run_cores": 1, "attempts": 2, "max_console": 1}
    with running(replace(settings, **limits)) as found:
        yield found
    with MongoClient(mongod) as client:
        client.drop_database(name)


def submit(desk: Desk, actor: Actor, workflow: str, retries: int = 0, **params: object) -> str:
    request = RunRequest(workflow=workflow, params=params, retries=retries)
    return desk.services.runs.submit(actor, request).id


def most_at_once(times: list[tuple[datetime, datetime]]) -> int:
    """Return the maximum number of these time spans that overlap."""
    return max(sum(begin <= moment < end for begin, end in times) for moment, _ in times)


def test_runs_of_two_owners_execute_two_at_a_time_and_alternate(desk):
    desk.runner.stop()
    slow = {"jobs": 1, "seconds": 0.3}
    runs = [submit(desk, ANN, "slow", **slow) for _ in range(6)]
    runs += [submit(desk, BEN, "slow", **slow) for _ in range(6)]
    waiting = [desk.run(run_id).queue for run_id in runs]
    assert [place.position for place in waiting] == [1, 3, 5, 7, 9, 11, 2, 4, 6, 8, 10, 12]
    assert {place.reason for place in waiting} <= {"", str(NO_RUNNER())}
    desk.runner.start()

    def all_wait_for_a_place() -> list[Run]:
        left = [run for run in desk.services.runs.list(ME, RunFilter(limit=50)).items if run.queue]
        positions = sorted(run.queue.position for run in left)
        assert positions == list(range(1, len(left) + 1))
        return left if {run.queue.reason for run in left} == {TAKEN} else []

    until(all_wait_for_a_place)
    until(lambda: all(desk.run(run_id).state is State.COMPLETE for run_id in runs))
    done = [desk.run(run_id) for run_id in runs]
    assert most_at_once([(run.attempts[0].started, run.ended) for run in done]) == 2
    jobs = [next(job for job in desk.jobs(run.id) if job.rule == "step") for run in done]
    assert most_at_once([(job.started, job.ended) for job in jobs]) <= 2
    owners = [run.owner for run in sorted(done, key=lambda run: run.attempts[0].started)]
    assert all(one != other for one, other in pairwise(owners))


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("memory", CauseKind.OUT_OF_MEMORY, "memory ran out (MemoryError)."),
        ("disk", CauseKind.DISK_FULL, "the disk is full (No space left on device)."),
        ("killed", CauseKind.KILLED, "its command was killed (SIGKILL)."),
        ("unlucky", CauseKind.RULE_FAILED, "Error: no luck today"),
    ],
)
def test_failed_job_has_a_cause(desk, how, kind, words):
    run = desk.finished(desk.submit("unlucky", how=how))
    assert run.state is State.EXECUTOR_ERROR
    assert run.cause is not None
    assert (run.cause.kind, run.cause.rule) == (kind, "unlucky")
    assert run.cause.message.endswith(words)


def test_long_log_is_truncated_and_its_end_still_has_the_cause(desk):
    run_id = desk.submit("unlucky", how="loud")
    run = desk.finished(run_id)
    assert run.cause is not None
    assert run.cause.message.endswith("): Error: too much to say")
    console = desk.attempt(run_id).console
    assert MIB < console.stat().st_size < 1.1 * MIB
    text = console.read_text()
    assert text.startswith("Config file") or "Building DAG of jobs" in text[:2000]
    assert f"[Rundesk: log truncated at {MIB} bytes; its end follows after the run]" in text
    assert "bytes omitted]" in text
    assert "Error in rule unlucky:" in text


def test_failure_of_the_workflow_is_retried_as_often_as_requested(desk):
    run = desk.finished(submit(desk, ME, "unlucky", retries=3, fails=2))
    assert (run.state, run.error) == (State.COMPLETE, None)
    first, second, third = run.attempts
    assert [(a.state, a.failures, a.limit) for a in (first, second, third)] == [
        (State.EXECUTOR_ERROR, 1, 4),
        (State.EXECUTOR_ERROR, 2, 4),
        (State.COMPLETE, None, None),
    ]
    assert first.cause is not None
    assert first.cause.kind is CauseKind.RULE_FAILED
    assert "Attempt 2 failed (2 of 4)." in [change.note for change in run.history]


def test_retries_are_limited_and_a_resumed_run_has_all_of_them_again(desk):
    run_id = submit(desk, ME, "unlucky", retries=1, fails=3)
    run = desk.finished(run_id)
    assert run.state is State.EXECUTOR_ERROR
    assert [attempt.failures for attempt in run.attempts] == [1, 2]
    desk.services.runs.resume(ME, run_id)
    until(lambda: len(desk.run(run_id).attempts) == 4)
    run = desk.finished(run_id)
    assert run.state is State.COMPLETE
    assert [attempt.failures for attempt in run.attempts] == [1, 2, 1, None]


def test_unreadable_workflow_is_not_retried(desk):
    run = desk.finished(submit(desk, ME, "damaged", retries=5))
    assert run.state is State.EXECUTOR_ERROR
    assert [(a.failures, a.limit) for a in run.attempts] == [(1, 1)]


def test_attempt_that_cannot_open_its_log_is_a_system_error_and_retried(desk):
    desk.runner.stop()
    run_id = desk.submit("pair")
    desk.attempt(run_id).console.mkdir(parents=True)
    desk.runner.start()
    run = desk.finished(run_id)
    assert run.state is State.COMPLETE
    first, _ = run.attempts
    assert (first.state, first.exit_code) == (State.SYSTEM_ERROR, None)
    assert first.cause is not None
    assert first.cause.kind is CauseKind.STAGING_FAILED
    assert "Is a directory" in first.cause.message


def test_run_that_cannot_be_prepared_fails_with_a_sentence(desk):
    desk.runner.stop()
    run_id = desk.submit("pair")
    desk.folder(run_id).mkdir(parents=True)
    (desk.folder(run_id) / "workflow").touch()
    desk.runner.start()
    run = desk.finished(run_id)
    assert run.state is State.SYSTEM_ERROR
    assert [(a.state, a.failures, a.limit) for a in run.attempts] == [
        (State.SYSTEM_ERROR, 1, 2),
        (State.SYSTEM_ERROR, 2, 2),
    ]
    assert run.error is not None
    assert run.error.startswith("The run could not be prepared: ")
    assert State.RUNNING not in [change.state for change in run.history]


def test_leftovers_of_an_earlier_attempt_are_ended_before_the_next_starts(desk):
    run_id = submit(desk, ME, "unlucky", fails=1)
    assert desk.finished(run_id).state is State.EXECUTOR_ERROR
    tag = {**os.environ, processes.TAG: f"{run_id}:1"}
    left = subprocess.Popen(["sleep", "60"], env=tag, start_new_session=True)
    until(lambda: processes.tagged(run_id))
    desk.services.runs.resume(ME, run_id)
    assert left.wait(30) == -signal.SIGKILL
    assert desk.reaches(run_id, State.COMPLETE)


def test_order_of_any_size_is_accepted(desk):
    run = desk.finished(desk.submit("unlucky", fails=0, note="x" * 300_000))
    assert run.state is State.COMPLETE


def test_run_that_exceeds_the_time_limit_is_stopped_with_a_cause(settings):
    with running(replace(settings, walltime=0.05)) as desk:
        run_id = submit(desk, ME, "slow", retries=2, jobs=1, seconds=600)
        run = desk.finished(run_id)
        assert run.state is State.EXECUTOR_ERROR
        assert run.cause is not None
        assert run.cause.kind is CauseKind.WALLTIME
        assert run.error == "The run exceeded the time limit of this server (0.05 min)."
        assert len(run.attempts) == 1
        assert not processes.tagged(run_id)
        assert desk.results(run_id) == []
