"""Watch the queue by a change stream, so that the runner need not poll it often."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError

from services.models import FINAL, State

log = logging.getLogger(__name__)

STREAM_WAIT_S = 0.5  # that the server holds a request open; `stop` waits up to this long
REOPEN_INTERVAL_S = 1.0  # between attempts to open the stream
#: States that let a run start: one was queued, or one ended and freed its cores.
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
    {"$project": {"_id": 1}},  # nothing else of the event is used
]


class QueueChanges:
    """One thread that calls `on_change` soon after each change of the queue.

    Calls can be missed, so the runner polls as well, less often. A lost stream is opened again,
    which calls `on_change` too, because changes in between were not seen.
    """

    def __init__(self, runs: Collection[dict[str, Any]], on_change: Callable[[], None]) -> None:
        self._runs = runs
        self._on_change = on_change
        self._stopping = threading.Event()
        self._warned = False
        self._thread = threading.Thread(target=self._work, name="queue-changes", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop calling `on_change`, and wait for the thread to end."""
        self._stopping.set()
        self._thread.join(STREAM_WAIT_S + REOPEN_INTERVAL_S)

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except PyMongoError as error:
                self._warn(error)
            self._stopping.wait(REOPEN_INTERVAL_S)

    def _listen(self) -> None:
        """Read the stream until `stop` is called. Raises PyMongoError when the stream is lost."""
        with self._runs.watch(PIPELINE, max_await_time_ms=int(STREAM_WAIT_S * 1000)) as stream:
            self._on_change()
            self._warned = False
            while stream.alive and not self._stopping.is_set():
                if stream.try_next() is not None:
                    self._on_change()

    def _warn(self, error: PyMongoError) -> None:
        """Log once that the server refuses; other parts of the runner log that it is down."""
        refused = isinstance(error, OperationFailure)
        if refused and not self._warned and not self._stopping.is_set():
            log.warning("cannot watch the queue for changes, polling it instead: %s", error)
            self._warned = True
