"""Events for clients that follow a run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.models import Graph, Progress, Run, State, Step
from services.runs.events import changes_of, new_events

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def run(**given):
    return Run(
        **{
            "id": "0" * 24,
            "name": "n",
            "workflow": "w",
            "workflow_title": "W",
            "workflow_version": "",
            "digest": "d",
            "owner": "ann",
            "tags": [],
            "params": {},
            "inputs": [],
            "cores": 1,
            "state": State.RUNNING,
            "progress": Progress(total=2),
            "created": NOW,
            "started": NOW,
            "ended": None,
            "error": None,
            "cause": None,
            "attempts": [],
            "history": [],
            **given,
        }
    )


def graph(done=0, seconds=None):
    step = Step(
        rule="r",
        state=State.RUNNING,
        total=2,
        done=done,
        failed=0,
        running=1,
        mean_seconds=seconds,
    )
    return Graph(steps=[step], links=[])


def kinds(events):
    return [event.kind for event in events]


@pytest.mark.parametrize("seen", ["", "x", "a.b", "....", "0.0.0"])
def test_new_events_nothing_seen_has_all_and_the_state_last(seen):
    assert kinds(new_events(changes_of(run(), graph()), seen)) == ["progress", "jobs", "state"]


def test_new_events_has_only_what_changed():
    seen = new_events(changes_of(run(), graph()))[-1].seen
    assert new_events(changes_of(run(), graph()), seen) == []
    assert new_events(changes_of(run(name="renamed"), graph(seconds=1.5)), seen) == []
    assert kinds(
        new_events(changes_of(run(progress=Progress(total=2, done=1)), graph()), seen)
    ) == ["progress"]
    (event,) = new_events(changes_of(run(), graph(done=1)), seen)
    assert (event.kind, event.data[0]["done"]) == ("jobs", 1)
    (event,) = new_events(changes_of(run(state=State.EXECUTOR_ERROR, error="No."), graph()), seen)
    assert (event.data["state"], event.data["error"]) == ("EXECUTOR_ERROR", "No.")


def test_new_events_after_a_cut_continues_with_the_next():
    first, second, third = new_events(changes_of(run(), graph()))
    assert kinds(new_events(changes_of(run(), graph()), first.seen)) == ["jobs", "state"]
    assert kinds(new_events(changes_of(run(), graph()), second.seen)) == ["state"]
    assert kinds(new_events(changes_of(run(), graph()), third.seen)) == []
