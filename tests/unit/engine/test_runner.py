"""A bell that rings while its job is being done has it done again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

from services import runner
from services.runner import Bell
from tests.helpers.waiting import until


class Slow:
    """A tick that takes until it is let go; counts how often it is done, and how many at once."""

    def __init__(self) -> None:
        self.begun = self.done = self.most = 0
        self.go = threading.Event()
        self.over = threading.Semaphore(0)

    def __call__(self) -> None:
        self.begun += 1
        self.most = max(self.most, self.begun - self.done)
        assert self.go.wait(20)
        self.done += 1
        self.over.release()


@pytest.fixture
def tick() -> Slow:
    return Slow()


@pytest.fixture
def bell(tick: Slow) -> Iterator[Bell]:
    """A bell for `tick`, which is not done before an hour otherwise."""
    scheduler = BackgroundScheduler(
        timezone=UTC,
        job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
    )
    bell = Bell(scheduler, "tick")
    scheduler.add_job(bell.heard_by(tick), "interval", hours=1, id="tick")
    scheduler.start()
    yield bell
    tick.go.set()
    scheduler.shutdown()


def test_ring_has_the_job_done_now(bell, tick):
    tick.go.set()
    bell.ring()
    until(lambda: tick.done == 1)


def test_ring_while_the_job_is_being_done_has_it_done_again(bell, tick):
    bell.ring()
    until(lambda: tick.begun == 1)
    for _ in range(5):
        bell.ring()
    tick.go.set()
    until(lambda: tick.done == 2)
    assert tick.most == 1


def test_ring_is_never_lost(bell, tick):
    tick.go.set()
    for _ in range(300):
        bell.ring()  # just when the job ends, from the second time on
        assert tick.over.acquire(timeout=20)
    assert tick.most == 1


def test_ring_after_the_end_is_harmless():
    scheduler = BackgroundScheduler(timezone=UTC)
    bell = Bell(scheduler, "tick")
    scheduler.add_job(bell.heard_by(lambda: None), "interval", hours=1, id="tick")
    scheduler.start()
    scheduler.shutdown()
    bell.ring()


def test_scheduler_that_is_told_to_end_before_its_start_ends():
    scheduler = BlockingScheduler(timezone=UTC)
    runner._shut_down(scheduler)
    scheduler.start()  # returns
    assert not scheduler.running
