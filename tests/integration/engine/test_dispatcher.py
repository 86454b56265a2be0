"""Which runs start, with a real database and a fake fork server."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from services.engine import dispatcher
from services.engine.dispatcher import Dispatcher
from services.engine.execution import Order
from services.engine.fork_server import EXITED, ORDER_FAILED, ForkServerFailed
from services.errors import Text, TransitionRefused
from services.models import Cause, CauseKind, State
from services.rundir import RunDir
from tests.helpers.runs import NOW, add_run
from tests.helpers.waiting import until

LATER = timedelta(minutes=1)  # longer than the time until a failed run is tried again


@dataclass
class FakeForkServer:
    """Accepts orders and keeps their locks, or fails as configured."""

    error: Text | None = None  # of every order
    keeps_locks: bool = True
    failure: Text | None = None  # of the process
    orders: list[Order] = field(default_factory=list)
    locks: list[int] = field(default_factory=list)

    def ensure_ready(self) -> bool:
        return self.failure is None

    def take_failure(self) -> Text | None:
        return self.failure

    def send_order(self, order: Order, lock: int) -> None:
        if self.keeps_locks:
            self.locks.append(os.dup(lock))
        if self.error:
            raise ForkServerFailed(self.error)
        self.orders.append(order)


@pytest.fixture
def forks():
    fake = FakeForkServer()
    yield fake
    for lock in fake.locks:
        os.close(lock)


@pytest.fixture
def desk(settings):
    settings.data.mkdir()
    return replace(settings, max_runs=4, cores=8, run_cores=1)


def tick(desk, database, forks) -> int:
    """Execute one tick of a new dispatcher."""
    return dispatcher_of(desk, database, forks).tick(NOW)


def dispatcher_of(desk, database, forks) -> Dispatcher:
    return Dispatcher(desk, database, forks, host="host", claiming=threading.Lock())


def complete(database, order: Order) -> None:
    database.runs.end(order.run.id, order.attempt, State.COMPLETE, now=NOW)


def test_run_that_uses_freed_capacity_starts_after_the_end_that_freed_it(
    desk, database, forks, monkeypatch
):
    runs = [add_run(database.runs) for _ in range(2)]
    dispatching = dispatcher_of(replace(desk, max_runs=1), database, forks)
    usage = database.queue.usage

    def complete_first_run(**of):
        if forks.orders:
            queried = datetime.now(UTC)
            until(lambda: datetime.now(UTC) - queried > timedelta(milliseconds=5))
            order = forks.orders[0]
            with contextlib.suppress(TransitionRefused):  # at the second query
                now = datetime.now(UTC)
                database.runs.end(order.run.id, 1, State.COMPLETE, now=now)
        return usage(**of)

    monkeypatch.setattr(database.queue, "usage", complete_first_run)
    assert dispatching.tick(datetime.now(UTC)) == 2
    first, second = (database.runs.get(run.id, None) for run in runs)
    assert second.attempts[0].started >= first.ended


def test_limit_of_runs_is_not_exceeded(desk, database, forks):
    for _ in range(6):
        add_run(database.runs)
    dispatching = dispatcher_of(desk, database, forks)
    assert (dispatching.tick(NOW), dispatching.tick(NOW)) == (4, 0)
    complete(database, forks.orders[0])
    assert dispatching.tick(NOW) == 1


def test_limit_of_cores_is_not_exceeded(desk, database, forks):
    for cores in (3, 6, 5, 1):
        add_run(database.runs, cores=cores)
    assert tick(desk, database, forks) == 2
    assert [order.cores for order in forks.orders] == [3, 5]


def test_run_that_requests_more_cores_than_exist_runs_alone(desk, database, forks):
    add_run(database.runs, cores=64)
    add_run(database.runs)
    assert tick(desk, database, forks) == 1
    assert forks.orders[0].cores == 8


def test_limit_of_runs_per_owner_is_not_exceeded(desk, database, forks):
    desk = replace(desk, max_runs_per_owner=2)
    for owner in ("ann",) * 4 + ("ben",):
        add_run(database.runs, owner=owner)
    dispatching = dispatcher_of(desk, database, forks)
    assert dispatching.tick(NOW) == 3
    assert Counter(order.run.owner for order in forks.orders) == {"ann": 2, "ben": 1}
    complete(database, next(order for order in forks.orders if order.run.owner == "ben"))
    assert dispatching.tick(NOW) == 0
    complete(database, next(order for order in forks.orders if order.run.owner == "ann"))
    assert dispatching.tick(NOW) == 1
    assert forks.orders[-1].run.owner == "ann"


def test_runs_of_another_host_do_not_count(desk, database, forks):
    add_run(database.runs, cores=64)
    database.queue.claim(host="elsewhere", now=NOW, lease=timedelta(0))
    add_run(database.runs)
    assert tick(desk, database, forks) == 1


def test_no_run_starts_on_a_full_disk_and_that_is_logged_once(desk, database, forks, caplog):
    caplog.set_level(logging.WARNING, dispatcher.log.name)
    add_run(database.runs)
    dispatching = dispatcher_of(replace(desk, disk_floor=2**40), database, forks)
    assert [dispatching.tick(NOW) for _ in range(3)] == [0, 0, 0]
    assert database.queue.line(1)
    assert [record.getMessage() for record in caplog.records] == [
        "no run starts: Low disk space: no run starts until space is freed."
    ]


def test_disk_that_is_no_longer_full_is_logged(desk, database, forks, caplog, monkeypatch):
    caplog.set_level(logging.WARNING, dispatcher.log.name)
    dispatching = dispatcher_of(desk, database, forks)
    for full in (True, False, False):
        monkeypatch.setattr(dispatcher.disk, "too_full", lambda _, full=full: full)
        dispatching.tick(NOW)
    assert [record.getMessage() for record in caplog.records][1:] == ["runs start again"]


def last_cause(database, run_id: str) -> Cause:
    run = database.runs.get(run_id, None)
    assert run.state is State.SYSTEM_ERROR
    assert run.cause is not None
    return run.cause


def test_failing_orders_use_up_the_attempts(desk, database):
    forks = FakeForkServer(error=ORDER_FAILED(error="broken"), keeps_locks=False)
    run_id = add_run(database.runs).id
    dispatching = dispatcher_of(desk, database, forks)
    for number in (1, 2):
        assert dispatching.tick(NOW + number * LATER) == 0
        run = database.runs.get(run_id, None)
        assert run.state is State.QUEUED
        assert run.history[-1].note == f"Attempt {number} failed ({number} of 3)."
    dispatching.tick(NOW + 3 * LATER)
    cause = last_cause(database, run_id)
    assert cause.message == "The fork server failed: broken"
    assert cause.hint


def test_fork_server_that_cannot_start_fails_one_run_at_a_time(desk, database):
    forks = FakeForkServer(failure=EXITED(code=1, count=6))
    first, second = (add_run(database.runs).id for _ in range(2))
    dispatching = dispatcher_of(desk, database, forks)
    for number in range(3):
        assert dispatching.tick(NOW + number * LATER) == 0
    assert last_cause(database, first).message == (
        "The fork server exited with code 1, 6 times in a row."
    )
    assert database.runs.get(second, None).attempts == []


def test_failed_order_whose_supervisor_is_alive_is_left_to_it(desk, database, forks):
    forks.error = ORDER_FAILED(error="no answer")
    run_id = add_run(database.runs).id
    assert tick(desk, database, forks) == 0
    assert database.runs.get(run_id, None).state is State.INITIALIZING


def test_run_canceled_while_its_order_failed_is_left_to_the_reconciler(desk, database):
    run_id = add_run(database.runs).id

    class Canceling(FakeForkServer):
        def send_order(self, order: Order, lock: int) -> None:
            database.runs.move(run_id, State.CANCELING, now=NOW)
            raise ForkServerFailed

    assert tick(desk, database, Canceling()) == 0
    assert database.runs.get(run_id, None).state is State.CANCELED


def test_lock_that_cannot_be_created_uses_up_an_attempt(desk, database, forks):
    run_id = add_run(database.runs).id
    place = RunDir.of(desk.data, run_id).attempt(1).root
    place.parent.mkdir(parents=True)
    place.write_text("a file where there should be a folder")
    dispatching = dispatcher_of(desk, database, forks)
    assert dispatching.tick(NOW) == 0
    first = database.runs.get(run_id, None).attempts[0]
    assert first.cause.kind is CauseKind.STAGING_FAILED
    assert first.cause.message.startswith("The run could not be prepared: ")
    assert dispatching.tick(NOW) == 0
    assert dispatching.tick(NOW + LATER) == 1
    assert forks.orders[0].attempt == 2


def test_storage_that_cannot_be_written_costs_no_attempt(desk, database, forks):
    runs = [add_run(database.runs) for _ in range(20)]
    folder = desk.data / "runs"
    folder.write_text("in the way")
    dispatching = dispatcher_of(desk, database, forks)
    for _ in range(3):
        assert dispatching.tick(NOW) == 0
    assert "cannot be written" in dispatching.reason
    waiting = [database.runs.get(run.id, None) for run in runs]
    assert {(run.state, len(run.attempts)) for run in waiting} == {(State.QUEUED, 0)}
    folder.unlink()
    assert dispatching.tick(NOW) == 4
    assert dispatching.reason == ""


def test_run_that_could_not_be_prepared_is_tried_again_later(desk, database, forks):
    run = add_run(database.runs)
    blocked = RunDir.of(desk.data, run.id).internal
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("in the way of this run")
    dispatching = dispatcher_of(desk, database, forks)
    delays = []
    now = NOW
    for number in range(1, desk.attempts):
        dispatching.tick(now)
        dispatching.tick(now)  # not yet
        assert len(database.runs.get(run.id, None).attempts) == number
        entry = database.queue.line(1)[0]
        delays.append(round((entry.not_before - now).total_seconds()))
        now = entry.not_before
    assert delays == [1, 5]
    dispatching.tick(now)
    assert database.runs.get(run.id, None).state is State.SYSTEM_ERROR


def test_runs_that_fail_in_a_row_stop_the_start_of_others(desk, database, forks):
    runs = [add_run(database.runs) for _ in range(10)]
    for run in runs:
        blocked = RunDir.of(desk.data, run.id).internal
        blocked.parent.mkdir(parents=True, exist_ok=True)
        blocked.write_text("in the way of this run")
    dispatching = dispatcher_of(desk, database, forks)
    for _ in range(10):
        dispatching.tick(NOW)
    waiting = [database.runs.get(run.id, None) for run in runs]
    assert sum(len(run.attempts) for run in waiting) == 3
    assert dispatching.reason.startswith("No run starts for 1 s, because the last 3 could not")
