"""What is new about a run for somebody who follows it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.models import Graph, Run

NOTHING = "0"  # in place of a digest: nothing of that kind was seen yet


@dataclass(frozen=True)
class Event:
    """A change: the whole of what is now, not the difference, so that none needs those before."""

    kind: str  # state, progress or jobs
    seen: str  # what the follower has seen after this one; sent back when it asks again
    data: Any  # as JSON


def news(run: Run, graph: Graph, seen: str = "") -> Sequence[Event]:
    """The events for who has seen `seen`: digests of the last state, progress and jobs, by dots.

    Nothing else has to be remembered of a follower; what does not fit is taken as nothing seen.
    """
    parts = dict.fromkeys(("state", "progress", "jobs"), NOTHING)
    if seen.count(".") == len(parts) - 1:
        parts = dict(zip(parts, seen.split("."), strict=True))
    events = []
    for kind, data in _now(run, graph).items():
        digest = hashlib.sha256(json.dumps(data).encode()).hexdigest()[:12]
        if parts[kind] != digest:
            parts[kind] = digest
            events.append(Event(kind, ".".join(parts.values()), data))
    return events


def _now(run: Run, graph: Graph) -> dict[str, Any]:
    """What is told, by kind. State comes last: who hears of the end knows the rest by then."""
    waiting = run.queue.model_dump(mode="json", exclude={"seconds"}) if run.queue else None
    return {
        "progress": run.progress.model_dump(mode="json"),
        "jobs": [step.model_dump(mode="json", exclude={"mean_seconds"}) for step in graph.steps],
        "state": {
            "state": run.state.value,
            "attempt": run.attempts[-1].number if run.attempts else 0,
            "error": run.error,
            "queue": waiting,
            "unreachable": run.unreachable.isoformat() if run.unreachable else None,
        },
    }
