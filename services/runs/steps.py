"""The steps of a run: its rules with their counters, and the links between them."""

from __future__ import annotations

from collections.abc import Mapping

from services.database.jobs import RuleCounts
from services.database.runs import Plan
from services.models import Graph, Run, State, Step


def graph_of(run: Run, plan: Plan, counts: Mapping[str, RuleCounts]) -> Graph:
    """Return the rules in the order they first ran; those that have not run come last."""
    rules = dict.fromkeys([*counts, *plan.jobs])
    steps = [
        _step(rule, counts.get(rule, RuleCounts()), plan.jobs.get(rule, 0), run) for rule in rules
    ]
    return Graph(steps=steps, links=plan.links)


def _step(rule: str, counter: RuleCounts, planned: int, run: Run) -> Step:
    total = max(planned, counter.total)
    state: State | None
    if counter[State.EXECUTOR_ERROR]:
        state = State.EXECUTOR_ERROR
    elif total and counter[State.COMPLETE] == total:
        state = State.COMPLETE
    elif run.state.final and not counter.total:
        state = None
    elif run.state.final:
        state = State.SYSTEM_ERROR if counter[State.SYSTEM_ERROR] else State.CANCELED
    else:
        state = State.RUNNING if counter.total else State.QUEUED
    return Step(
        rule=rule,
        state=state,
        total=total,
        done=counter[State.COMPLETE],
        failed=counter[State.EXECUTOR_ERROR],
        running=counter[State.RUNNING],
        mean_seconds=counter.mean_seconds,
    )
