"""Each row of the reconciler's truth table, with real locks, files and processes."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from services.database import Database
from services.engine import reconciler, supervisor
from services.engine.dispatcher import acquire
from services.engine.execution import Order
from services.engine.reconciler import (
    DATABASE_STABLE_FOR,
    NOT_LISTED,
    STUCK_AFTER,
    UNREACHABLE_AFTER,
    Reconciler,
)
from services.engine.settling import ExitRecord
from services.errors import DatabaseUnavailable
from services.host import processes
from services.host.processes import Identity
from services.models import CauseKind, Run, State
from services.rundir import AttemptDir, RunDir
from services.settings import Settings
from tests.helpers.runs import LEASE, NOW, add_run, claim_run
from tests.helpers.waiting import until

LATER = NOW + timedelta(seconds=1)
DIED = ExitRecord(exit_code=None, signal=9, started=NOW, ended=LATER)


@dataclass
class FakeForkServer:
    """Accepts orders and starts nothing."""

    is_ready: bool = True
    orders: list[Order] = field(default_factory=list)

    def send_order(self, order: Order, lock: int) -> None:
        self.orders.append(order)


@dataclass(frozen=True)
class Scene:
    """An installation without a runner, and a claimed run."""

    settings: Settings
    database: Database
    reconciler: Reconciler
    run_id: str
    forks: FakeForkServer

    @property
    def run(self) -> Run:
        run = self.database.runs.get(self.run_id, None)
        assert run is not None
        return run

    @property
    def attempt_dir(self) -> AttemptDir:
        return RunDir.of(self.settings.data, self.run_id).attempt(1)

    def tick(self, now: datetime = LATER) -> int:
        return self.reconciler.tick(now)

    def cancel(self) -> None:
        self.database.runs.move(self.run_id, State.CANCELING, now=NOW)

    def untouched(self, now: datetime = LATER) -> bool:
        before = self.run
        return self.tick(now) == 0 and self.run == before

    @contextmanager
    def held(self, identity: Identity | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Have a process hold the lock; its identity is in it unless another one is given."""
        lock = acquire(self.attempt_dir)
        assert lock is not None
        holder = subprocess.Popen(["sleep", "60"], pass_fds=[lock])
        (identity or identity_of(holder)).write(lock)
        os.close(lock)
        try:
            yield holder
        finally:
            holder.kill()
            holder.wait()


def identity_of(process: subprocess.Popen[bytes]) -> Identity:
    found = next(p for p in processes.descendants(os.getpid()) if p.pid == process.pid)
    return Identity(processes.boot_id(), found.pid, found.start)


@pytest.fixture
def scene(settings, database):
    run = add_run(database.runs)
    claim_run(database.queue)
    forks = FakeForkServer()
    made = Reconciler(settings, database, forks, host="host", claiming=threading.Lock())
    return Scene(settings, database, made, run.id, forks)


def test_held_without_identity_is_left_alone(scene):
    lock = acquire(scene.attempt_dir)
    assert scene.untouched(NOW + timedelta(hours=1))
    os.close(lock)


@pytest.mark.parametrize("state", [State.INITIALIZING, State.RUNNING, State.CANCELING])
def test_held_by_a_living_supervisor_is_left_alone(scene, state):
    if state is not State.INITIALIZING:
        scene.database.runs.move(scene.run_id, state, now=NOW)
    with scene.held() as holder:
        scene.attempt_dir.exit.write_text(DIED.model_dump_json())
        assert scene.untouched(NOW + LEASE)
        assert holder.poll() is None


def test_held_long_after_the_lease_is_left_alone_as_long_as_its_supervisor_lives(scene):
    with scene.held() as holder:
        assert scene.untouched(NOW + timedelta(days=1))
        assert holder.poll() is None


def test_held_by_a_stopped_supervisor_is_ended_when_the_run_is_to_end(scene):
    scene.cancel()
    with scene.held() as holder:
        holder.send_signal(signal.SIGSTOP)
        assert scene.untouched(NOW + LEASE + STUCK_AFTER / 2)
        assert scene.tick(NOW + LEASE + STUCK_AFTER) == 1
        assert holder.wait(10) == -signal.SIGKILL
    assert scene.run.state is State.CANCELED


def strangers(holder: subprocess.Popen[bytes]) -> dict[str, Identity]:
    """Identities of dead supervisors, whose pid another process may have."""
    living = identity_of(holder)
    return {
        "recycled": replace(living, start=living.start - 1),
        "rebooted": replace(living, boot="another"),
        "gone": replace(living, pid=2**22 + 1),
    }


@pytest.mark.parametrize("dead", ["recycled", "rebooted", "gone", "zombie"])
def test_held_by_a_fork_of_a_dead_supervisor_is_ended_and_settled(scene, dead):
    other = subprocess.Popen(["sleep", "60"])
    identity = strangers(other).get(dead) or identity_of(other)
    if dead == "zombie":
        other.kill()  # not yet reaped
        until(lambda: not identity.alive)
    with scene.held(identity) as holder:
        assert scene.tick() == 1
        assert holder.wait(10) == -signal.SIGKILL
    if dead != "zombie":
        assert other.poll() is None  # another process with a recycled pid is left alone
    other.kill()
    other.wait()
    assert scene.run.state is State.QUEUED


@pytest.mark.parametrize(
    ("ended", "state"),
    [
        (ExitRecord(exit_code=1, started=NOW, ended=LATER), State.EXECUTOR_ERROR),
        (ExitRecord(exit_code=1, overtime=True, started=NOW, ended=LATER), State.EXECUTOR_ERROR),
        (ExitRecord(signal=9, overtime=True, started=NOW, ended=LATER), State.EXECUTOR_ERROR),
        (ExitRecord(exit_code=1, canceled=True, started=NOW, ended=LATER), State.CANCELED),
        (ExitRecord(shutdown=True, started=NOW, ended=LATER), State.QUEUED),
        (ExitRecord(hopeless=True, ended=LATER), State.SYSTEM_ERROR),
        (DIED, State.QUEUED),
    ],
)
def test_free_with_an_exit_file_is_settled_by_that(scene, ended, state):
    scene.attempt_dir.root.mkdir(parents=True)
    ended.write(scene.attempt_dir.exit)
    assert scene.tick() == 1
    run = scene.run
    assert run.state is state
    assert run.attempts[0].ended == LATER
    assert run.attempts[0].state is ended.state
    assert (run.started == NOW) is (ended.started is not None)
    assert scene.tick() == 0


def test_free_after_success_is_published_by_another_process(scene):
    scene.attempt_dir.root.mkdir(parents=True)
    ExitRecord(exit_code=0, started=NOW, ended=LATER).write(scene.attempt_dir.exit)
    for tries in range(1, scene.settings.attempts + 1):
        assert scene.tick() == 1
        assert scene.run.state is State.INITIALIZING  # the runner itself reads no results
        assert len(scene.forks.orders) == tries
    order = scene.forks.orders[-1]
    assert (order.run.id, order.attempt, order.publishes_only) == (scene.run_id, 1, True)
    scene.tick()  # each of them was killed
    assert scene.run.state is State.SYSTEM_ERROR
    assert scene.run.error == str(NOT_LISTED())


def test_free_after_success_waits_for_the_fork_server(scene):
    scene.attempt_dir.root.mkdir(parents=True)
    ExitRecord(exit_code=0, started=NOW, ended=LATER).write(scene.attempt_dir.exit)
    scene.forks.is_ready = False
    assert scene.untouched()


def test_free_without_exit_file_goes_back_to_the_queue(scene):
    assert scene.tick() == 1
    run = scene.run
    assert run.state is State.QUEUED
    assert run.history[-1].note == "Attempt 1 failed (1 of 3)."
    (attempt,) = run.attempts
    assert (attempt.state, attempt.failures, attempt.limit) == (State.SYSTEM_ERROR, 1, 3)
    assert attempt.cause.kind is CauseKind.HOST_LOST


def test_unreadable_evidence_does_not_prevent_settling(scene):
    scene.attempt_dir.root.mkdir(parents=True)
    scene.attempt_dir.errors.write_text('{"type": "failed", "log": 7}\n')
    assert scene.tick() == 1
    assert scene.run.attempts[0].cause.kind is CauseKind.UNKNOWN


def test_free_without_exit_file_is_given_up_when_no_attempt_is_left(scene):
    for number in (1, 2, 3):
        assert scene.run.state is State.INITIALIZING
        assert scene.tick() == 1
        assert (scene.run.attempts[-1].failures, scene.run.attempts[-1].limit) == (number, 3)
        claim_run(scene.database.queue, NOW + timedelta(hours=1))
    run = scene.run
    assert run.state is State.SYSTEM_ERROR
    assert run.error.startswith("The processes of the run disappeared")


def test_free_without_exit_file_of_a_canceling_run_is_canceled(scene):
    scene.cancel()
    assert scene.tick() == 1
    assert scene.run.state is State.CANCELED
    assert scene.run.error == "Canceled on request."


def test_spooled_records_are_replayed_before_settling(scene):
    scene.attempt_dir.root.mkdir(parents=True)
    scene.attempt_dir.spool.write_text('{"type": "started", "job": 1, "rule": "r", "at": 1.0}\n')
    scene.tick()
    (job,) = scene.database.jobs.list(scene.run_id, 1)
    assert (job.rule, job.state) == ("r", State.SYSTEM_ERROR)


def test_free_with_leftovers_ends_them_first(scene):
    tag = {**os.environ, processes.TAG: f"{scene.run_id}:1"}
    left = subprocess.Popen(["sleep", "60"], env=tag, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={**tag, processes.TAG: f"{scene.run_id}:2"})
    until(lambda: processes.tagged(scene.run_id, 1))
    assert scene.tick() == 1
    assert left.wait(10) == -signal.SIGKILL
    assert other.poll() is None
    other.kill()
    other.wait()


def test_free_with_leftovers_that_do_not_end_waits_for_them(scene, monkeypatch):
    monkeypatch.setattr(reconciler, "LEFTOVERS_TIMEOUT_S", 0.1)
    never = [processes.Process(os.getpid(), 0)]  # in place of one in uninterruptible sleep
    with monkeypatch.context() as patch:
        patch.setattr(processes, "tagged", lambda *_: never)
        assert scene.untouched()
    assert scene.tick() == 1


def test_unreadable_run_does_not_affect_others(scene):
    add_run(scene.database.runs)
    other = claim_run(scene.database.queue).run.id
    scene.attempt_dir.root.parent.mkdir(parents=True)
    scene.attempt_dir.root.write_text("a file where there should be a folder")
    assert scene.tick() == 1
    assert scene.run.state is State.INITIALIZING
    assert scene.database.runs.get(other, None).state is State.QUEUED


def elsewhere(scene) -> Reconciler:
    """The reconciler of another host, to which the database was available for a while."""
    made = Reconciler(
        scene.settings,
        scene.database,
        FakeForkServer(),
        host="other",
        claiming=threading.Lock(),
    )
    made.tick(NOW)
    return made


def test_run_of_another_host_is_flagged_when_its_lease_is_overdue_and_never_taken(scene):
    other, due = elsewhere(scene), NOW + LEASE + UNREACHABLE_AFTER
    before = scene.run
    assert other.tick(due - timedelta(seconds=1)) == 0
    assert scene.run == before
    for _ in range(2):
        assert other.tick(due) == 0
    run = scene.run
    assert (run.state, run.unreachable) == (State.INITIALIZING, NOW + LEASE)
    assert [change.note for change in run.history] == [
        "",
        "",
        "The host host stopped responding.",
    ]
    scene.database.queue.renew(scene.run_id, 1, now=due, lease=LEASE)
    run = scene.run
    assert (run.state, run.unreachable) == (State.INITIALIZING, None)
    assert run.history[-1].note == "The host host responds again."


def test_flag_is_removed_at_the_end_of_the_run(scene):
    elsewhere(scene).tick(NOW + timedelta(days=1))
    assert scene.run.unreachable
    scene.tick()
    assert (scene.run.state, scene.run.unreachable) == (State.QUEUED, None)


def test_flag_waits_until_the_database_was_available_long_enough_for_renewals(scene, monkeypatch):
    other, late = elsewhere(scene), NOW + timedelta(days=1)
    with monkeypatch.context() as patch:

        def away() -> None:
            raise DatabaseUnavailable

        patch.setattr(scene.database.queue, "leases", away)
        with pytest.raises(DatabaseUnavailable):
            other.tick(late)
    other.tick(late)
    assert scene.run.unreachable is None
    other.tick(late + DATABASE_STABLE_FOR)
    assert scene.run.unreachable


def test_lost_host_is_flagged_within_two_minutes_of_its_last_renewal():
    assert (
        timedelta(seconds=120) > supervisor.LEASE_DURATION + UNREACHABLE_AFTER + DATABASE_STABLE_FOR
    )
