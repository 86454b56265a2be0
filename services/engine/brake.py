"""Stops the start of runs while several of them in a row cannot be prepared.

Such failures come from the installation: storage that does not answer, a folder that cannot be
written. Every further run would lose an attempt in the same way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from services.errors import Message, Text

MAX_FAILURES_IN_A_ROW = 3  # of different runs
PAUSES_S = (1.0, 5.0, 30.0)  # by pauses in a row; the last one repeats

PAUSED = Message(
    "system_error",
    "No run starts for {seconds} s, because the last {count} could not be prepared. {cause}",
)


class Brake:
    """Counts preparations that fail in a row. May be used from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: list[str] = []  # ids of the runs, in a row
        self._pauses = 0  # in a row
        self._until = 0.0
        self._reason: Text | None = None

    def failed(self, run_id: str, cause: str) -> None:
        """Record that a run could not be prepared."""
        with self._lock:
            if run_id not in self._failed:
                self._failed.append(run_id)
            if len(self._failed) < MAX_FAILURES_IN_A_ROW:
                return
            seconds = PAUSES_S[min(self._pauses, len(PAUSES_S) - 1)]
            count = len(self._failed)
            self._reason = PAUSED(seconds=round(seconds), count=count, cause=cause)
            self._until = self._clock() + seconds
            self._pauses += 1
            del self._failed[: 1 - MAX_FAILURES_IN_A_ROW]  # one more failure is the next pause

    def succeeded(self) -> None:
        """Record that a run was prepared."""
        with self._lock:
            self._failed.clear()
            self._pauses, self._until, self._reason = 0, 0.0, None

    @property
    def reason(self) -> Text | None:
        """Why no run starts now; None: runs start."""
        with self._lock:
            return self._reason if self._clock() < self._until else None
