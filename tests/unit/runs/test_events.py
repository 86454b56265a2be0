"""What is new about a run for who follows it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.models import Graph, Progress, Run, State, Step
from services.runs.events import news

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
def test_all_is_new_for_who_has_seen_nothing_of_ours_and_the_state_comes_last(seen):
    assert kinds(news(run(), graph(), seen)) == ["progress", "jobs", "state"]


def test_only_what_changed_is_new():
    seen = news(run(), graph())[-1].seen
    assert news(run(), graph(), seen) == []
    assert news(run(name="renamed"), graph(seconds=1.5), seen) == []
    assert kinds(news(run(progress=Progress(total=2, done=1)), graph(), seen)) == ["progress"]
    (event,) = news(run(), graph(done=1), seen)
    assert (event.kind, event.data[0]["done"]) == ("jobs", 1)
    (event,) = news(run(state=State.EXECUTOR_ERROR, error="No."), graph(), seen)
    assert (event.data["state"], event.data["error"]) == ("EXECUTOR_ERROR", "No.")


def test_who_was_cut_between_two_events_hears_the_second_one():
    first, second, third = news(run(), graph())
    assert kinds(news(run(), graph(), first.seen)) == ["jobs", "state"]
    assert kinds(news(run(), graph(), second.seen)) == ["state"]
    assert kinds(news(run(), graph(), third.seen)) == []
