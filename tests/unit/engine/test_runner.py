"""A job that is triggered during its execution is executed again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

from services import runner
from services.runner import JobTrigger
from tests.helpers.waiting import until


class Slow:
    """A tick that blocks until `go` is set; counts its executions and those at the same time."""

    def __init__(self) -> None:
        self.started = self.done = self.most = 0
        self.go = threading.Event()
        self.finished = threading.Semaphore(0)

    def __call__(self) -> None:
        self.started += 1
        self.most = max(self.most, self.started - self.done)
        assert self.go.wait(20)
        self.done += 1
        self.finished.release()


@pytest.fixture
def tick() -> Slow:
    return Slow()


@pytest.fixture
def trigger(tick: Slow) -> Iterator[JobTrigger]:
    """A trigger for `tick`, which is scheduled only every hour."""
    scheduler = BackgroundScheduler(
        timezone=UTC,
        job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
    )
    trigger = JobTrigger(scheduler, "tick")
    scheduler.add_job(trigger.wrap(tick), "interval", hours=1, id="tick")
    scheduler.start()
    yield trigger
    tick.go.set()
    scheduler.shutdown()


def test_trigger_executes_the_job_now(trigger, tick):
    tick.go.set()
    trigger.trigger()
    until(lambda: tick.done == 1)


def test_trigger_during_the_job_executes_it_again(trigger, tick):
    trigger.trigger()
    until(lambda: tick.started == 1)
    for _ in range(5):
        trigger.trigger()
    tick.go.set()
    until(lambda: tick.done == 2)
    assert tick.most == 1


def test_trigger_is_never_lost(trigger, tick):
    tick.go.set()
    for _ in range(300):
        trigger.trigger()  # from the second time on just when the job ends
        assert tick.finished.acquire(timeout=20)
    assert tick.most == 1


def test_trigger_after_the_shutdown_is_harmless():
    scheduler = BackgroundScheduler(timezone=UTC)
    trigger = JobTrigger(scheduler, "tick")
    scheduler.add_job(trigger.wrap(lambda: None), "interval", hours=1, id="tick")
    scheduler.start()
    scheduler.shutdown()
    trigger.trigger()


def test_shutdown_before_the_start_of_the_scheduler_ends_it():
    scheduler = BlockingScheduler(timezone=UTC)
    runner._shut_down(scheduler)
    scheduler.start()  # returns
    assert not scheduler.running
