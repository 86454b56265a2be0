"""The steps of a run: its rules with their counters, and what waits for what."""

from __future__ import annotations

from collections.abc import Mapping

from services.database.jobs import RuleCounts
from services.database.runs import Plan
from services.models import Graph, Run, State, Step


def graph_of(run: Run, plan: Plan, counts: Mapping[str, RuleCounts]) -> Graph:
    """Rules in the order they first ran, those still to come last."""
    rules = dict.fromkeys([*counts, *plan.jobs])
    steps = [
        _step(rule, counts.get(rule, RuleCounts()), plan.jobs.get(rule, 0), run) for rule in rules
    ]
    return Graph(steps=steps, links=plan.links)


def _step(rule: str, counted: RuleCounts, planned: int, run: Run) -> Step:
    total = max(planned, counted.total)
    state: State | None
    if counted[State.EXECUTOR_ERROR]:
        state = State.EXECUTOR_ERROR
    elif total and counted[State.COMPLETE] == total:
        state = State.COMPLETE
    elif run.state.final and not counted.total:
        state = None
    elif run.state.final:
        state = State.SYSTEM_ERROR if counted[State.SYSTEM_ERROR] else State.CANCELED
    else:
        state = State.RUNNING if counted.total else State.QUEUED
    return Step(
        rule=rule,
        state=state,
        total=total,
        done=counted[State.COMPLETE],
        failed=counted[State.EXECUTOR_ERROR],
        running=counted[State.RUNNING],
        mean_seconds=counted.mean_seconds,
    )
