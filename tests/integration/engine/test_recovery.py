"""Processes that are killed or stopped during a run: the run completes, or names the cause."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.access.actors import local_actor
from services.database.embedded.binary import find
from services.database.embedded.mongod import Mongod
from services.host import processes
from services.host.processes import Identity
from services.models import CauseKind, State
from services.rundir import RunDir
from services.settings import Settings
from tests.helpers.desk import Desk, identity, running
from tests.helpers.waiting import free_port, until

ME = local_actor()


def under_way(desk: Desk, jobs: int = 4, seconds: float = 1.0, done: int = 1) -> str:
    """Submit a run; return its id when `done` of its jobs have finished."""
    run_id = desk.submit("slow", jobs=jobs, seconds=seconds)
    until(lambda: len(list((desk.folder(run_id) / "work").glob("*.txt"))) >= done)
    return run_id


def starts(desk: Desk, run_id: str) -> Counter[str]:
    """Return how often each job started, as written by the job itself."""
    return Counter((desk.folder(run_id) / "ledger").read_text().split())


def completed(desk: Desk, run_id: str, attempts: int) -> None:
    run = desk.finished(run_id)
    assert (run.state, run.error) == (State.COMPLETE, None)
    assert [attempt.number for attempt in run.attempts] == list(range(1, attempts + 1))
    assert desk.results(run_id) == ["results/all.txt"]
    assert not processes.tagged(run_id)


def test_killed_snakemake_is_tried_again_and_finished_jobs_are_kept(desk):
    run_id = under_way(desk)
    processes.send(desk.snakemake(run_id), signal.SIGKILL)
    completed(desk, run_id, attempts=2)
    assert starts(desk, run_id)["0"] + starts(desk, run_id)["1"] < 4
    first = desk.run(run_id).attempts[0]
    assert first.exit_code == -signal.SIGKILL
    assert first.cause is not None
    assert first.cause.kind is CauseKind.KILLED
    left = desk.services.database.jobs.list(run_id, 1)
    assert {job.state for job in left} <= {State.COMPLETE, State.SYSTEM_ERROR}


def test_output_of_a_job_interrupted_by_a_kill_is_created_again(desk):
    run_id = desk.submit("racing")
    completed(desk, run_id, attempts=2)
    assert (desk.folder(run_id) / "results/all.txt").read_text() == "whole\n"


def test_killed_supervisor_takes_its_tree_along_and_the_run_is_tried_again(desk):
    run_id = under_way(desk)
    snakemake = desk.snakemake(run_id)
    processes.send(desk.supervisor(run_id), signal.SIGKILL)
    completed(desk, run_id, attempts=2)
    assert not Path(f"/proc/{snakemake.pid}").exists()
    cause = desk.run(run_id).attempts[0].cause
    assert cause is not None
    assert cause.kind is CauseKind.HOST_LOST


def test_supervisor_asked_to_end_leaves_the_run_to_be_tried_again(desk):
    run_id = under_way(desk)
    processes.send(desk.supervisor(run_id), signal.SIGTERM)
    completed(desk, run_id, attempts=2)
    cause = desk.run(run_id).attempts[0].cause
    assert cause is not None
    assert cause.message.startswith("The host was shutting down")


def test_killed_fork_server_is_restarted_and_runs_continue(own_desk):
    run_id = under_way(own_desk)
    fork_server = next(
        child
        for child in processes.descendants(own_desk.runner.pid)
        if b"services.engine.fork_server" in Path(f"/proc/{child.pid}/cmdline").read_bytes()
    )
    processes.send(fork_server, signal.SIGKILL)
    completed(own_desk, run_id, attempts=1)
    completed(own_desk, own_desk.submit("slow", jobs=1, seconds=0), attempts=1)


def test_killed_runner_changes_nothing_for_a_run(own_desk):
    run_id = under_way(own_desk)
    own_desk.runner.stop(signal.SIGKILL)
    completed(own_desk, run_id, attempts=1)
    waiting = own_desk.submit("slow", jobs=1, seconds=0)
    own_desk.runner.start()
    completed(own_desk, waiting, attempts=1)


def test_everything_killed_at_once_is_settled_when_the_runner_is_back(own_desk):
    run_id = under_way(own_desk)
    own_desk.runner.stop(signal.SIGKILL)
    processes.send(own_desk.supervisor(run_id), signal.SIGKILL)
    until(lambda: not processes.holding(own_desk.attempt(run_id).lock))
    assert own_desk.run(run_id).state is State.RUNNING  # no process can settle it
    own_desk.runner.start()
    completed(own_desk, run_id, attempts=2)


def test_claim_that_never_started_goes_back_to_the_queue(own_desk):
    until(lambda: (own_desk.settings.data / "host").exists())
    own_desk.runner.stop()
    run_id = own_desk.submit("slow", jobs=1, seconds=0)
    host = (own_desk.settings.data / "host").read_text()
    now = datetime.now(UTC)
    assert own_desk.services.database.queue.claim(host=host, now=now, lease=now - now)
    own_desk.runner.start()
    completed(own_desk, run_id, attempts=2)


def test_attempts_are_limited_and_the_cause_is_recorded(settings):
    with running(replace(settings, attempts=1)) as desk:
        run_id = under_way(desk)
        processes.send(desk.supervisor(run_id), signal.SIGKILL)
        run = desk.finished(run_id)
        assert run.state is State.SYSTEM_ERROR
        assert run.cause is not None
        assert run.cause.kind is CauseKind.HOST_LOST
        assert {job.state for job in desk.jobs(run_id)} <= {State.COMPLETE, State.SYSTEM_ERROR}


def test_cancel_of_a_run_whose_supervisor_is_dead_is_settled(own_desk):
    run_id = under_way(own_desk, seconds=30, done=0)
    until(lambda: processes.tagged(run_id))
    own_desk.runner.stop()
    processes.send(own_desk.supervisor(run_id), signal.SIGKILL)
    own_desk.services.runs.cancel(ME, run_id)
    own_desk.runner.start()
    assert own_desk.finished(run_id).state is State.CANCELED
    assert not processes.tagged(run_id)


def test_fork_of_snakemake_that_outlives_it_is_ended(own_desk):
    run_id = own_desk.submit("forking")
    sleeper = own_desk.folder(run_id) / "sleeper"
    until(lambda: sleeper.exists() and processes.tagged(run_id))
    pid = int(sleeper.read_text())
    own_desk.runner.stop()
    processes.send(own_desk.supervisor(run_id), signal.SIGKILL)
    until(lambda: [p.pid for p in processes.holding(own_desk.attempt(run_id).lock)] == [pid])
    own_desk.runner.start()
    until(lambda: not Path(f"/proc/{pid}").exists())
    completed(own_desk, run_id, attempts=2)


def test_runs_of_another_host_are_left_alone(own_desk):
    own_desk.runner.stop()
    run_id = own_desk.submit("slow", jobs=1, seconds=0)
    now = datetime.now(UTC)
    own_desk.services.database.queue.claim(host="elsewhere", now=now, lease=now - now)
    own_desk.runner.start()
    assert own_desk.finished(own_desk.submit("pair")).state is State.COMPLETE
    assert own_desk.run(run_id).state is State.INITIALIZING


@pytest.fixture(scope="module")
def own_mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mongod, Desk]]:
    """A mongod that a test may stop and restart, and an installation that uses it."""
    folder = tmp_path_factory.mktemp("away")
    server = Mongod(find("", folder / "lib"), folder / "db", free_port())
    server.start()
    with running(Settings(data=folder / "data", db_port=server.port, run_cores=2)) as desk:
        yield server, desk
    server.stop()


def test_run_continues_and_loses_nothing_while_the_database_is_unavailable(own_mongod):
    server, desk = own_mongod
    run_id = under_way(desk, jobs=24, seconds=0.2, done=2)
    server.stop()
    until(lambda: len(starts(desk, run_id)) == 24)
    until(lambda: desk.attempt(run_id).exit.exists())  # it ended; the database is unavailable
    server.start()
    completed(desk, run_id, attempts=1)
    jobs = desk.jobs(run_id)
    assert len(jobs) == 26
    assert all(job.state is State.COMPLETE and job.started and job.ended for job in jobs)
    assert desk.run(run_id).progress.done == 26
    assert set(starts(desk, run_id).values()) == {1}
    assert not desk.attempt(run_id).spool.exists()


def test_failure_is_explained_when_the_database_was_unavailable(own_mongod):
    server, desk = own_mongod
    run_id = desk.submit("failing")
    until(lambda: identity(desk.attempt(run_id)))
    server.stop()
    until(lambda: desk.attempt(run_id).exit.exists())
    server.start()
    run = desk.finished(run_id)
    assert run.error is not None
    assert run.error.startswith("Rule align failed")


def test_supervisor_of_a_deleted_run_ends(own_mongod):
    server, desk = own_mongod
    run_id = under_way(desk, jobs=1, seconds=0.5, done=0)
    supervisor = desk.supervisor(run_id)
    boot = Identity.mine().boot
    server.stop()
    until(lambda: desk.attempt(run_id).exit.exists())
    for folder in (RunDir(desk.folder(run_id)).internal, desk.folder(run_id)):
        shutil.rmtree(folder)
    until(lambda: not Identity(boot, supervisor.pid, supervisor.start).alive)
    server.start()
