"""When an attempt is stopped, and what happens to its processes: the supervisor's table."""

from __future__ import annotations

import math

import pytest

from services.engine.supervisor import KILL_INTERVAL_S, Action, Stop, StopReason, decide

SUPERSEDED, WALLTIME = StopReason.SUPERSEDED, StopReason.WALLTIME
SHUTDOWN, CANCELED = StopReason.SHUTDOWN, StopReason.CANCELED
NOW, GRACE = 100.0, 10.0
EARLY, LATE = NOW + 5.0, NOW - 5.0  # a deadline that is not reached, and one that is
AGAIN = NOW + KILL_INTERVAL_S


@pytest.mark.parametrize(
    ("stop", "requests", "time_limit", "new", "action"),
    [
        # without a stop
        (None, [], math.inf, None, Action.NONE),
        (None, [], NOW + 1, None, Action.NONE),
        (None, [], NOW, Stop(WALLTIME, NOW + GRACE), Action.TERMINATE),
        (None, [SHUTDOWN], math.inf, Stop(SHUTDOWN, NOW + GRACE), Action.TERMINATE),
        (None, [CANCELED], math.inf, Stop(CANCELED, NOW + GRACE), Action.TERMINATE),
        (None, [SUPERSEDED], math.inf, Stop(SUPERSEDED, NOW), Action.TERMINATE),
        # several reasons at once
        (None, [CANCELED, SHUTDOWN], math.inf, Stop(SHUTDOWN, NOW + GRACE), Action.TERMINATE),
        (None, [CANCELED, SHUTDOWN], NOW, Stop(WALLTIME, NOW + GRACE), Action.TERMINATE),
        (None, [CANCELED, SUPERSEDED], NOW, Stop(SUPERSEDED, NOW), Action.TERMINATE),
        # a later reason does not replace an earlier one
        (Stop(CANCELED, EARLY), [CANCELED], NOW, Stop(CANCELED, EARLY), Action.NONE),
        (Stop(CANCELED, EARLY), [SHUTDOWN], math.inf, Stop(CANCELED, EARLY), Action.NONE),
        (Stop(SHUTDOWN, EARLY), [CANCELED], math.inf, Stop(SHUTDOWN, EARLY), Action.NONE),
        (Stop(WALLTIME, EARLY), [SHUTDOWN], NOW, Stop(WALLTIME, EARLY), Action.NONE),
        # … except that the attempt was superseded
        (Stop(CANCELED, EARLY), [SUPERSEDED], NOW, Stop(SUPERSEDED, EARLY), Action.NONE),
        # the deadline is reached
        (Stop(CANCELED, NOW), [], math.inf, Stop(CANCELED, AGAIN), Action.KILL),
        (Stop(WALLTIME, LATE), [], NOW, Stop(WALLTIME, AGAIN), Action.KILL),
        (Stop(SUPERSEDED, NOW), [SUPERSEDED], NOW, Stop(SUPERSEDED, AGAIN), Action.KILL),
        (Stop(SHUTDOWN, LATE), [SUPERSEDED], NOW, Stop(SUPERSEDED, AGAIN), Action.KILL),
    ],
)
def test_decision(stop, requests, time_limit, new, action):
    assert decide(NOW, stop, requests, time_limit=time_limit, grace=GRACE) == (new, action)


def test_processes_without_grace_are_killed_at_the_next_decision():
    stop, action = decide(NOW, None, {CANCELED}, time_limit=math.inf, grace=0.0)
    assert action is Action.TERMINATE
    assert decide(NOW, stop, {CANCELED}, time_limit=math.inf, grace=0.0)[1] is Action.KILL


def test_kill_is_repeated_at_intervals():
    stop, _ = decide(NOW, Stop(CANCELED, NOW), set(), time_limit=math.inf, grace=GRACE)
    assert decide(NOW + 0.5, stop, set(), time_limit=math.inf, grace=GRACE)[1] is Action.NONE
    assert decide(AGAIN, stop, set(), time_limit=math.inf, grace=GRACE)[1] is Action.KILL
