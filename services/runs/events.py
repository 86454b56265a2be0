"""Events for clients that follow a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.models import Graph, Run

UNSEEN = "0"  # instead of a digest: no event of that kind was seen yet


@dataclass(frozen=True)
class Event:
    """A change. It has the complete current value, so clients do not need earlier events."""

    kind: str  # state, progress or jobs
    seen: str  # what the client has seen after this event; it sends this back to continue
    data: Any  # as JSON


#: Kind of an event → its data, and a digest of these.
Changes = dict[str, tuple[Any, str]]


def changes_of(run: Run, graph: Graph) -> Changes:
    """Return the current data of events by kind, in the order in which they are sent."""
    return {
        kind: (data, hashlib.sha256(json.dumps(data).encode()).hexdigest()[:12])
        for kind, data in _current(run, graph).items()
    }


def new_events(changes: Changes, seen: str = "") -> Sequence[Event]:
    """Return the events for a client that has seen `seen`.

    `seen` has the digests of the last state, progress and jobs, separated by dots, so nothing is
    stored for a client. A malformed `seen` counts as nothing seen.
    """
    parts = dict.fromkeys(("state", "progress", "jobs"), UNSEEN)
    if seen.count(".") == len(parts) - 1:
        parts = dict(zip(parts, seen.split("."), strict=True))
    events = []
    for kind, (data, digest) in changes.items():
        if parts[kind] != digest:
            parts[kind] = digest
            events.append(Event(kind, ".".join(parts.values()), data))
    return events


def _current(run: Run, graph: Graph) -> dict[str, Any]:
    """Return the data of events by kind. The state is last: after the final one nothing follows."""
    queue = run.queue.model_dump(mode="json", exclude={"seconds"}) if run.queue else None
    return {
        "progress": run.progress.model_dump(mode="json"),
        "jobs": [step.model_dump(mode="json", exclude={"mean_seconds"}) for step in graph.steps],
        "state": {
            "state": run.state.value,
            "attempt": run.attempts[-1].number if run.attempts else 0,
            "error": run.error,
            "queue": queue,
            "unreachable": run.unreachable.isoformat() if run.unreachable else None,
        },
    }
