"""What starts and what does not, with a real database and a nursery that only takes notes."""

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
from services.engine.fork_server import NurseryFailed
from services.errors import TransitionRefused
from services.models import Cause, CauseKind, State
from services.rundir import RunDir
from tests.helpers.runs import NOW, add_run
from tests.helpers.waiting import until


@dataclass
class Notes:
    """Stands for the nursery: takes orders, or fails as told. It keeps the locks it was given."""

    fails: str = ""
    keeps: bool = True
    words: str = ""
    orders: list[Order] = field(default_factory=list)
    locks: list[int] = field(default_factory=list)

    def ready(self) -> bool:
        return not self.words

    def trouble(self) -> str:
        return self.words

    def order(self, order: Order, lock: int) -> None:
        if self.keeps:
            self.locks.append(os.dup(lock))
        if self.fails:
            raise NurseryFailed(self.fails)
        self.orders.append(order)


@pytest.fixture
def notes():
    made = Notes()
    yield made
    for lock in made.locks:
        os.close(lock)


@pytest.fixture
def desk(settings):
    settings.data.mkdir()
    return replace(settings, max_runs=4, cores=8, run_cores=1)


def tick(desk, database, notes) -> int:
    """One tick of a dispatcher that has just been started."""
    return made(desk, database, notes).tick(NOW)


def made(desk, database, notes) -> Dispatcher:
    return Dispatcher(desk, database, notes, host="host", claiming=threading.Lock())


def ends(database, order: Order) -> None:
    database.runs.end(order.run.id, order.attempt, State.COMPLETE, now=NOW)


def test_run_starts_after_the_end_that_made_place_for_it(desk, database, notes, monkeypatch):
    runs = [add_run(database.runs) for _ in range(2)]
    one = made(replace(desk, max_runs=1), database, notes)
    usage = database.queue.usage

    def ends_meanwhile(**of):
        if notes.orders:
            looks = datetime.now(UTC)
            until(lambda: datetime.now(UTC) - looks > timedelta(milliseconds=5))
            order = notes.orders[0]
            with contextlib.suppress(TransitionRefused):  # at the second look
                now = datetime.now(UTC)
                database.runs.end(order.run.id, 1, State.COMPLETE, now=now)
        return usage(**of)

    monkeypatch.setattr(database.queue, "usage", ends_meanwhile)
    assert one.tick(datetime.now(UTC)) == 2
    first, second = (database.runs.get(run.id, None) for run in runs)
    assert second.attempts[0].started >= first.ended


def test_no_more_runs_than_the_limit(desk, database, notes):
    for _ in range(6):
        add_run(database.runs)
    one = made(desk, database, notes)
    assert (one.tick(NOW), one.tick(NOW)) == (4, 0)
    ends(database, notes.orders[0])
    assert one.tick(NOW) == 1


def test_no_more_cores_than_there_are(desk, database, notes):
    for cores in (3, 6, 5, 1):
        add_run(database.runs, cores=cores)
    assert tick(desk, database, notes) == 2
    assert [order.cores for order in notes.orders] == [3, 5]


def test_run_that_wants_more_cores_than_there_are_goes_alone(desk, database, notes):
    add_run(database.runs, cores=64)
    add_run(database.runs)
    assert tick(desk, database, notes) == 1
    assert notes.orders[0].cores == 8


def test_no_more_runs_of_an_owner_than_the_limit(desk, database, notes):
    desk = replace(desk, max_runs_per_owner=2)
    for owner in ("ann",) * 4 + ("ben",):
        add_run(database.runs, owner=owner)
    one = made(desk, database, notes)
    assert one.tick(NOW) == 3
    assert Counter(order.run.owner for order in notes.orders) == {"ann": 2, "ben": 1}
    ends(database, next(order for order in notes.orders if order.run.owner == "ben"))
    assert one.tick(NOW) == 0
    ends(database, next(order for order in notes.orders if order.run.owner == "ann"))
    assert one.tick(NOW) == 1
    assert notes.orders[-1].run.owner == "ann"


def test_runs_of_another_host_do_not_count(desk, database, notes):
    add_run(database.runs, cores=64)
    database.queue.claim(host="elsewhere", now=NOW, lease=timedelta(0))
    add_run(database.runs)
    assert tick(desk, database, notes) == 1


def test_short_of_disk_nothing_starts_and_it_is_said_once(desk, database, notes, caplog):
    caplog.set_level(logging.WARNING, dispatcher.log.name)
    add_run(database.runs)
    one = made(replace(desk, disk_floor=2**40), database, notes)
    assert [one.tick(NOW) for _ in range(3)] == [0, 0, 0]
    assert database.queue.line(1)
    assert [record.getMessage() for record in caplog.records] == [
        f"less than {2**40} MiB of disk are free: no run starts"
    ]


def test_disk_with_room_again_is_said_too(desk, database, notes, caplog, monkeypatch):
    caplog.set_level(logging.WARNING, dispatcher.log.name)
    one = made(desk, database, notes)
    for full in (True, False, False):
        monkeypatch.setattr(dispatcher.disk, "too_full", lambda _, full=full: full)
        one.tick(NOW)
    assert len(caplog.records) == 2
    assert caplog.records[1].getMessage().endswith("are free again: runs start")


def last_cause(database, run_id: str) -> Cause:
    run = database.runs.get(run_id, None)
    assert run.state is State.SYSTEM_ERROR
    assert run.cause is not None
    return run.cause


def test_nursery_that_fails_orders_costs_attempts_until_they_are_used_up(desk, database):
    notes = Notes(fails="The process that starts runs failed: broken", keeps=False)
    run_id = add_run(database.runs).id
    one = made(desk, database, notes)
    for number in (1, 2):
        assert one.tick(NOW) == 0
        run = database.runs.get(run_id, None)
        assert run.state is State.QUEUED
        assert run.history[-1].note == f"Attempt {number} failed ({number} of 3)."
    one.tick(NOW)
    cause = last_cause(database, run_id)
    assert cause.message == notes.fails
    assert cause.hint


def test_nursery_that_cannot_be_started_fails_one_run_at_a_time(desk, database):
    notes = Notes(words="The process that starts runs ended with code 1, 6 times in a row.")
    first, second = (add_run(database.runs).id for _ in range(2))
    one = made(desk, database, notes)
    for _ in range(3):
        assert one.tick(NOW) == 0
    assert last_cause(database, first).message == notes.words
    assert database.runs.get(second, None).attempts == []


def test_order_that_failed_but_whose_supervisor_lives_is_left_to_it(desk, database, notes):
    notes.fails = "no answer"
    run_id = add_run(database.runs).id
    assert tick(desk, database, notes) == 0
    assert database.runs.get(run_id, None).state is State.INITIALIZING


def test_run_that_was_canceled_while_its_order_failed_is_left_to_the_reconciler(desk, database):
    run_id = add_run(database.runs).id

    class Canceling(Notes):
        def order(self, order: Order, lock: int) -> None:
            database.runs.move(run_id, State.CANCELING, now=NOW)
            raise NurseryFailed

    assert tick(desk, database, Canceling()) == 0
    assert database.runs.get(run_id, None).state is State.CANCELED


def test_disk_that_takes_no_lock_costs_an_attempt(desk, database, notes):
    run_id = add_run(database.runs).id
    place = RunDir.of(desk.data, run_id).attempt(1).root
    place.parent.mkdir(parents=True)
    place.write_text("a file where there should be a folder")
    one = made(desk, database, notes)
    assert one.tick(NOW) == 0
    first = database.runs.get(run_id, None).attempts[0]
    assert first.cause.kind is CauseKind.STAGING_FAILED
    assert first.cause.message.startswith("The run could not be prepared: ")
    assert one.tick(NOW) == 1
    assert notes.orders[0].attempt == 2
