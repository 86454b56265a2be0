"""Where waiting runs stand, and when their turn comes, judged by how long such runs took here."""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from services.database import Database
from services.database.queue import QueueEntry
from services.host import disk
from services.models import Line, Run, State, Waiting
from services.settings import Settings

HISTORY = 60.0  # s; how long the usual time of a workflow is remembered
FULL = "This desk is short of disk space: no run starts until there is room."
LONGEST = 1000  # places that are told apart


class Queue:
    """Tells waiting runs their place."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._slots = min(settings.max_runs, settings.shared_cores // settings.cores_per_run)
        self._store = database.queue
        self._usual: dict[str, tuple[float, float | None]] = {}

    def placed(self, runs: Sequence[Run]) -> list[Run]:
        """The same runs; those that wait know their place."""
        if not any(run.state is State.QUEUED for run in runs):
            return list(runs)
        line, working = self._store.line(LONGEST), self._store.working()
        full = disk.too_full(self._settings)
        starts = [None] * len(line) if full else self._starts(line, working)
        places = {
            place.run_id: Waiting(
                position=position,
                seconds=seconds,
                reason=self._reason(place, working, full),
            )
            for position, (place, seconds) in enumerate(zip(line, starts, strict=True), 1)
        }
        return [
            run.model_copy(update={"queue": places.get(run.id)})
            if run.state is State.QUEUED
            else run
            for run in runs
        ]

    def line(self) -> Line:
        """The queue as a whole."""
        settings, working = self._settings, self._store.working()
        return Line(
            waiting=len(self._store.line(LONGEST)),
            working=len(working),
            places=settings.max_runs,
            cores=settings.shared_cores,
            taken=sum(min(place.cores, settings.shared_cores) for place in working),
            reason=FULL if disk.too_full(settings) else "",
        )

    def _reason(self, place: QueueEntry, working: Sequence[QueueEntry], full: bool) -> str:
        """What keeps a run from starting, by the rules of the dispatcher."""
        settings, most = self._settings, self._settings.max_runs_per_owner
        taken = sum(min(other.cores, settings.shared_cores) for other in working)
        if full:
            return FULL
        if most and sum(other.owner == place.owner for other in working) >= most:
            return f"Its owner has as many runs at work as one may have here: {most}."
        if len(working) >= settings.max_runs:
            return f"All places are taken: {len(working)} of {settings.max_runs} runs are at work."
        if working and settings.shared_cores - taken < place.cores:
            return f"It needs {place.cores} cores; {taken} of {settings.shared_cores} are taken."
        return ""

    def _starts(
        self, line: Sequence[QueueEntry], working: Sequence[QueueEntry]
    ) -> list[float | None]:
        """Seconds until each run of a line starts; None behind one that nothing is known of."""
        ends: defaultdict[str, list[float]] = defaultdict(list)
        free = [0.0] * (self._slots - len(working))
        for place in working:
            left = self._seconds_left(place)
            if left is None:
                return [None] * len(line)
            free.append(left)
            ends[place.owner].append(left)
        heapq.heapify(free)
        known = list(self._served(line, free, ends))
        return [*known, *[None] * (len(line) - len(known))]

    def _served(
        self, line: Sequence[QueueEntry], free: list[float], ends: defaultdict[str, list[float]]
    ) -> Iterator[float]:
        """Start times of a line of runs, as far as the times of those before are known.

        `free` is when each slot gets free, a heap; `ends` when the runs of each owner are over.
        """
        most = self._settings.max_runs_per_owner
        for place in line:
            own = sorted(ends[place.owner])
            start = max(free[0], own[-most]) if 0 < most <= len(own) else free[0]
            yield start
            seconds = self.usual_seconds(place.workflow)
            if seconds is None:
                return
            heapq.heapreplace(free, start + seconds)
            ends[place.owner].append(start + seconds)

    def _seconds_left(self, place: QueueEntry) -> float | None:
        usual = self.usual_seconds(place.workflow)
        if usual is None or place.since is None:
            return None
        return max(0.0, usual - (datetime.now(UTC) - place.since).total_seconds())

    def usual_seconds(self, workflow: str) -> float | None:
        """Median time of the last completed runs of a workflow, in seconds."""
        asked, seconds = self._usual.get(workflow, (0.0, None))
        if seconds is None or time.monotonic() - asked >= HISTORY:
            seconds = self._store.usual_seconds(workflow)
            self._usual[workflow] = (time.monotonic(), seconds)
        return seconds
