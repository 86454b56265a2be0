"""The runs that the installation accepted, their expected results, and what was done to them."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULT = "results/all.txt"
FAILING_RULE = "broken"


@dataclass(frozen=True)
class Kind:
    """A kind of run, drawn with a weight."""

    name: str
    workflow: str
    weight: int
    draw: Callable[[random.Random], dict[str, Any]]  # parameters without the token
    lines: Callable[[dict[str, Any]], list[str]]  # of its result, without the token

    @property
    def fails(self) -> bool:
        return self.workflow == "failing"

    def result(self, params: dict[str, Any]) -> bytes:
        """Return the bytes that the run must publish for these parameters."""
        return "".join(f"{params['token']} {line}\n" for line in self.lines(params)).encode()


def _numbers(params: dict[str, Any]) -> list[str]:
    return [str(n) for n in range(params["jobs"])]


KINDS = (
    Kind("quick", "steps", 6, lambda r: {"jobs": 2, "seconds": 0.0}, _numbers),
    Kind("many jobs", "steps", 3, lambda r: {"jobs": 24, "seconds": 0.0}, _numbers),
    Kind("slow", "steps", 8, lambda r: {"jobs": 4, "seconds": r.choice([1.0, 2.0, 3.0])}, _numbers),
    Kind("stubborn", "stubborn", 3, lambda r: {"seconds": r.choice([1, 4])}, lambda _: ["hang"]),
    Kind("flooding", "flood", 1, lambda r: {"lines": 600_000}, lambda _: ["flood"]),
    Kind("failing", "failing", 2, lambda r: {"seconds": 0.2}, lambda _: []),
)


@dataclass
class Entry:
    """An accepted run."""

    run_id: str
    kind: Kind
    params: dict[str, Any]
    cancel_asked: bool = False  # before the request was answered
    canceled_at: float | None = None  # monotonic, when the request was accepted
    canceled_attempt: int = 0  # the last attempt that the request applies to
    resumes: int = 0  # odd while one is being requested
    hurt: set[str] = field(default_factory=set)  # what may make a healthy workflow fail

    @property
    def expected(self) -> bytes:
        return self.kind.result(self.params)


class Accepted:
    """All accepted runs. Thread-safe."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self.unanswered = 0  # submissions that were never answered

    def add(self, entry: Entry) -> bool:
        """Add a run; return whether it was new."""
        with self._lock:
            new = entry.run_id not in self._entries
            self._entries.setdefault(entry.run_id, entry)
            return new

    def get(self, run_id: str) -> Entry | None:
        return self._entries.get(run_id)

    def all(self) -> list[Entry]:
        with self._lock:
            return list(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def record_cancel(self, run_id: str, attempt: int) -> None:
        entry = self._entries[run_id]
        entry.canceled_at, entry.canceled_attempt = time.monotonic(), attempt


@dataclass(frozen=True)
class Line:
    """A line that a job wrote at its start or its end."""

    what: str
    attempt: int
    job: str
    pid: int
    at: float


def read_ledger(folder: Path, run_id: str) -> list[Line]:
    """Return the lines that the jobs of a run wrote at their start and end."""
    path = folder / run_id
    lines = path.read_text().splitlines() if path.exists() else []
    return [_line(line) for line in lines]


def _line(text: str) -> Line:
    what, attempt, job, pid, at = text.split()
    return Line(what, int(attempt), job, int(pid), float(at))


def find_overlaps(lines: list[Line]) -> list[str]:
    """Return jobs that ran in an old attempt after a newer one had started, or twice in one."""
    starts_of: dict[int, float] = {}
    for line in lines:
        starts_of[line.attempt] = min(line.at, starts_of.get(line.attempt, line.at))
    late = [
        f"{line.job} of attempt {line.attempt} wrote '{line.what}' {line.at - start:.2f} s after"
        f" attempt {newer} started"
        for line in lines
        for newer, start in starts_of.items()
        if newer > line.attempt and line.at > start
    ]
    starts = [(line.attempt, line.job) for line in lines if line.what == "start"]
    twice = [start for start, count in Counter(starts).items() if count > 1]
    return [*late, *(f"{job} started twice in attempt {number}" for number, job in twice)]
