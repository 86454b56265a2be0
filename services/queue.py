"""Where waiting runs stand, and when their turn comes, judged by how long such runs took here."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from services.database import Database
from services.models import Run, State, Waiting
from services.settings import Settings

HISTORY = 60.0  # s; how long the usual time of a workflow is remembered
LONGEST = 1000  # places that are told apart


class Queue:
    """Tells waiting runs their place."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._slots = min(settings.max_runs, settings.shared_cores // settings.cores_per_run)
        self._store = database.runs
        self._usual: dict[str, tuple[float, float | None]] = {}

    def placed(self, runs: Sequence[Run]) -> list[Run]:
        """The same runs; those that wait know their place."""
        if not any(run.state is State.QUEUED for run in runs):
            return list(runs)
        line = self._store.line(LONGEST)
        starts = self._starts([workflow for _, workflow in line])
        places = {
            run_id: Waiting(position=place, seconds=seconds)
            for place, ((run_id, _), seconds) in enumerate(zip(line, starts, strict=True), 1)
        }
        return [
            run.model_copy(update={"queue": places.get(run.id)})
            if run.state is State.QUEUED
            else run
            for run in runs
        ]

    def _starts(self, workflows: Iterable[str]) -> list[float | None]:
        """Seconds until each run of a line starts; None behind one that nothing is known of."""
        left = [self._seconds_left(*working) for working in self._store.working()]
        left += [0.0] * (self._slots - len(left))
        known = [seconds for seconds in left if seconds is not None]
        free = known if len(known) == len(left) else None
        return list(_served(free, map(self._usual_seconds, workflows)))

    def _seconds_left(self, workflow: str, since: datetime) -> float | None:
        usual = self._usual_seconds(workflow)
        return (
            None if usual is None else max(0.0, usual - (datetime.now(UTC) - since).total_seconds())
        )

    def _usual_seconds(self, workflow: str) -> float | None:
        """Median time of the last completed runs of a workflow, in seconds."""
        asked, seconds = self._usual.get(workflow, (0.0, None))
        if seconds is None or time.monotonic() - asked >= HISTORY:
            seconds = self._store.usual_seconds(workflow)
            self._usual[workflow] = (time.monotonic(), seconds)
        return seconds


def _served(free: list[float] | None, usual: Iterable[float | None]) -> Iterable[float | None]:
    """Start times of a line of runs on slots that get free in `free` seconds; None: unknown."""
    if free is not None:
        heapq.heapify(free)
    for seconds in usual:
        if free is None:
            yield None
            continue
        start = free[0]
        yield start
        if seconds is None:
            free = None
        else:
            heapq.heapreplace(free, start + seconds)
