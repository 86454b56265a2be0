"""When runs that cannot be prepared stop the start of others."""

from __future__ import annotations

import pytest

from services.engine.brake import PAUSED, PAUSES_S, Brake


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def brake(now):
    return Brake(lambda: now[0])


def fail(brake, count, first=0):
    for number in range(first, first + count):
        brake.failed(f"run {number}", "No space left.")


def test_two_failures_are_not_enough(brake):
    fail(brake, 2)
    assert brake.reason is None


def test_third_run_that_fails_stops_the_start(brake, now):
    fail(brake, 3)
    assert brake.reason == PAUSED(seconds=1, count=3, cause="No space left.")
    now[0] += PAUSES_S[0]
    assert brake.reason is None


def test_one_run_that_fails_again_and_again_stops_nothing(brake):
    for _ in range(10):
        brake.failed("the same run", "No space left.")
    assert brake.reason is None


def test_pauses_grow_while_runs_fail(brake, now):
    fail(brake, 2)
    for number, seconds in enumerate([*PAUSES_S, PAUSES_S[-1]], 2):
        fail(brake, 1, first=number)
        assert brake.reason is not None
        now[0] += seconds - 0.01
        assert brake.reason is not None
        now[0] += 0.01
        assert brake.reason is None


def test_success_resets_the_count(brake):
    fail(brake, 3)
    brake.succeeded()
    assert brake.reason is None
    fail(brake, 2)
    assert brake.reason is None
