"""The positions of queued runs, and estimates of when they start, from earlier runs."""

from __future__ import annotations

import heapq
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from services.database import Database
from services.database.queue import QueueEntry
from services.errors import Message
from services.host import disk
from services.models import Line, Run, State, Waiting
from services.settings import Settings

USUAL_TIME_CACHE_S = 60.0  # the usual time of a workflow is kept this long
RUNNER_TIMEOUT = timedelta(seconds=20)  # since the last heartbeat; there is one every 5 s
MAX_POSITIONS = 1000  # runs further back have no position

NO_RUNNER = Message(
    "system_error",
    "No runner is active: no run starts until it is started.",
)
TRIED_AGAIN = Message(
    "system_error",
    "Rundesk tries again in {count} s, because the last attempt failed.",
    one="Rundesk tries again in 1 s, because the last attempt failed.",
)
OWNER_LIMIT_REACHED = Message(
    "limit_reached",
    "Owner limit reached ({count} running runs).",
    one="Owner limit reached (1 running run).",
)
RUN_LIMIT_REACHED = Message(
    "limit_reached",
    "Run limit reached ({count} running runs).",
    one="Run limit reached (1 running run).",
)
NOT_ENOUGH_CORES = Message(
    "limit_reached",
    "Waiting for {count} cores ({taken} of {total} are in use).",
    one="Waiting for 1 core ({taken} of {total} are in use).",
)


class Queue:
    """Computes positions in the queue."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._slots = min(settings.max_runs, settings.shared_cores // settings.cores_per_run)
        self._store = database.queue
        self._hosts = database.hosts
        self._usual: dict[str, tuple[float, float | None]] = {}

    def with_positions(self, runs: Sequence[Run]) -> list[Run]:
        """Return the same runs, those that are QUEUED with their positions."""
        if not any(run.state is State.QUEUED for run in runs):
            return list(runs)
        line, working = self._store.line(MAX_POSITIONS), self._store.working()
        obstacle = self.obstacle()
        starts = [None] * len(line) if obstacle else self._starts(line, working)
        positions = {
            place.run_id: Waiting(
                position=position,
                seconds=seconds,
                reason=obstacle or self._reason(place, working),
            )
            for position, (place, seconds) in enumerate(zip(line, starts, strict=True), 1)
        }
        return [
            run.model_copy(update={"queue": positions.get(run.id)})
            if run.state is State.QUEUED
            else run
            for run in runs
        ]

    def line(self) -> Line:
        """Return the queue as a whole."""
        settings, working = self._settings, self._store.working()
        return Line(
            waiting=len(self._store.line(MAX_POSITIONS)),
            working=len(working),
            places=settings.max_runs,
            cores=settings.shared_cores,
            taken=sum(min(place.cores, settings.shared_cores) for place in working),
            reason=self.obstacle(),
        )

    def obstacle(self) -> str:
        """Return why no run starts at all, on any host; empty: runs start."""
        if shortage := disk.shortage(self._settings):
            return str(shortage)
        now = datetime.now(UTC)
        alive = [host for host in self._hosts.all() if now - host.seen < RUNNER_TIMEOUT]
        if not alive:
            return str(NO_RUNNER())
        return "" if any(not host.reason for host in alive) else alive[0].reason

    def _reason(self, place: QueueEntry, working: Sequence[QueueEntry]) -> str:
        """Return why a run does not start, by the rules of the dispatcher; "" if it is next."""
        settings, owner_limit = self._settings, self._settings.max_runs_per_owner
        taken = sum(min(other.cores, settings.shared_cores) for other in working)
        if place.not_before is not None:
            seconds = (place.not_before - datetime.now(UTC)).total_seconds()
            if seconds > 0:
                return str(TRIED_AGAIN(count=math.ceil(seconds)))
        if owner_limit and sum(other.owner == place.owner for other in working) >= owner_limit:
            return str(OWNER_LIMIT_REACHED(count=owner_limit))
        if len(working) >= settings.max_runs:
            return str(RUN_LIMIT_REACHED(count=settings.max_runs))
        if working and settings.shared_cores - taken < place.cores:
            total = settings.shared_cores
            return str(NOT_ENOUGH_CORES(count=place.cores, taken=taken, total=total))
        return ""

    def _starts(
        self, line: Sequence[QueueEntry], working: Sequence[QueueEntry]
    ) -> list[float | None]:
        """Return the seconds until each run starts; None from where they cannot be estimated."""
        ends: defaultdict[str, list[float]] = defaultdict(list)
        free = [0.0] * (self._slots - len(working))
        for place in working:
            left = self._seconds_left(place)
            if left is None:
                return [None] * len(line)
            free.append(left)
            ends[place.owner].append(left)
        heapq.heapify(free)
        known = list(self._start_times(line, free, ends))
        return [*known, *[None] * (len(line) - len(known))]

    def _start_times(
        self, line: Sequence[QueueEntry], free: list[float], ends: defaultdict[str, list[float]]
    ) -> Iterator[float]:
        """Yield start times in the order of the queue, as far as they can be estimated.

        `free` is a heap of the times when slots become free; `ends` has the times when the runs of
        each owner end.
        """
        owner_limit = self._settings.max_runs_per_owner
        for place in line:
            own = sorted(ends[place.owner])
            start = max(free[0], own[-owner_limit]) if 0 < owner_limit <= len(own) else free[0]
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
        """Return the median time of the last completed runs of a workflow, in seconds."""
        read_at, seconds = self._usual.get(workflow, (0.0, None))
        if seconds is None or time.monotonic() - read_at >= USUAL_TIME_CACHE_S:
            seconds = self._store.usual_seconds(workflow)
            self._usual[workflow] = (time.monotonic(), seconds)
        return seconds
