"""The states of runs, verbatim from GA4GH WES 1.1, and the transitions between them."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of a run or a job, as in GA4GH WES 1.1."""

    QUEUED = "QUEUED"  # accepted; waits to be started
    INITIALIZING = "INITIALIZING"  # claimed; inputs are staged, Snakemake starts
    RUNNING = "RUNNING"  # Snakemake is running
    CANCELING = "CANCELING"  # cancellation requested; its processes are being ended
    COMPLETE = "COMPLETE"  # finished, results published
    EXECUTOR_ERROR = "EXECUTOR_ERROR"  # the workflow failed
    SYSTEM_ERROR = "SYSTEM_ERROR"  # Rundesk or its host failed
    CANCELED = "CANCELED"  # stopped on request

    @property
    def final(self) -> bool:
        return self in FINAL


FINAL = frozenset({State.COMPLETE, State.EXECUTOR_ERROR, State.SYSTEM_ERROR, State.CANCELED})
LIVE = frozenset(
    {State.INITIALIZING, State.RUNNING, State.CANCELING}
)  # a process holds a lease on them

#: The allowed transitions of a run. Back to QUEUED is a retry or a resume.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.INITIALIZING, State.CANCELED}),
    State.INITIALIZING: FINAL | {State.RUNNING, State.CANCELING, State.QUEUED},
    State.RUNNING: FINAL | {State.CANCELING, State.QUEUED},
    State.CANCELING: FINAL,
    State.COMPLETE: frozenset(),
    State.EXECUTOR_ERROR: frozenset({State.QUEUED}),
    State.SYSTEM_ERROR: frozenset({State.QUEUED}),
    State.CANCELED: frozenset({State.QUEUED}),
}


def sources(target: State) -> list[State]:
    """Return the states from which `target` can be reached, in the order of the enum."""
    return [state for state in State if target in TRANSITIONS[state]]
