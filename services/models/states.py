"""Where a run is: the states of GA4GH WES 1.1, verbatim, and the ways between them."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a run (or a job) is; the words of GA4GH WES 1.1."""

    QUEUED = "QUEUED"  # accepted; waits for a place
    INITIALIZING = "INITIALIZING"  # claimed; inputs are staged, Snakemake starts
    RUNNING = "RUNNING"  # Snakemake is at work
    CANCELING = "CANCELING"  # asked to stop; processes are being ended
    COMPLETE = "COMPLETE"  # finished, results published
    EXECUTOR_ERROR = "EXECUTOR_ERROR"  # the workflow failed
    SYSTEM_ERROR = "SYSTEM_ERROR"  # the desk or its host failed
    CANCELED = "CANCELED"  # stopped on request

    @property
    def final(self) -> bool:
        return self in FINAL


FINAL = frozenset({State.COMPLETE, State.EXECUTOR_ERROR, State.SYSTEM_ERROR, State.CANCELED})
LIVE = frozenset({State.INITIALIZING, State.RUNNING, State.CANCELING})  # somebody holds a lease

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
    """The states from which `target` may be reached, in the order of the enum."""
    return [state for state in State if target in TRANSITIONS[state]]
