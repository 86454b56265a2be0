"""Hears at once when the queue may move on, so that nobody has to ask it all the time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError

from services.models import FINAL, State

log = logging.getLogger(__name__)

AWAIT = 0.5  # s that the server holds a question open; ending takes as long at most
RETRY = 1.0  # s between two tries to open the stream
#: A run was queued, or one has ended and left its room to others.
STATES = [State.QUEUED.value, *sorted(state.value for state in FINAL)]
PIPELINE: list[dict[str, Any]] = [
    {
        "$match": {
            "$or": [
                {"operationType": "insert"},
                {"updateDescription.updatedFields.state": {"$in": STATES}},
            ]
        }
    },
    {"$project": {"_id": 1}},  # that it happened is all we want to know
]


class QueueChanges:
    """One thread that calls `heard` soon after each change of the queue.

    It is an aid: who depends on it also looks by itself, less often. A stream that is lost is
    opened again, and then counts as heard, because of what may have happened in between.
    """

    def __init__(self, runs: Collection[dict[str, Any]], heard: Callable[[], None]) -> None:
        self._runs = runs
        self._heard = heard
        self._stopping = threading.Event()
        self._told = False
        self._thread = threading.Thread(target=self._work, name="queue-changes", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Call `heard` no more; waits for the thread, which looks up every AWAIT seconds."""
        self._stopping.set()
        self._thread.join(AWAIT + RETRY)

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except PyMongoError as error:
                self._lost(error)
            self._stopping.wait(RETRY)

    def _listen(self) -> None:
        """Until told to stop. Raises PyMongoError when the stream is lost for good."""
        with self._runs.watch(PIPELINE, max_await_time_ms=int(AWAIT * 1000)) as stream:
            self._heard()
            self._told = False
            while stream.alive and not self._stopping.is_set():
                if stream.try_next() is not None:
                    self._heard()

    def _lost(self, error: PyMongoError) -> None:
        """Say once if the server refuses; that it is away is told by those who need it more."""
        if isinstance(error, OperationFailure) and not self._told and not self._stopping.is_set():
            log.warning("changes of the queue are not heard, it is looked at instead: %s", error)
            self._told = True
