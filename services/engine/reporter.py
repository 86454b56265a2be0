"""Writes the reports of Snakemake to the database without slowing it down.

The logger plugin reports from inside Snakemake. In a run its reports reach the reporter of the
supervisor through a pipe (`report_pipe`). One thread writes in batches. When the database does not
respond, records go to a spool file; as long as that file exists all records go through it, which
keeps their order. The supervisor replays what is left in it when Snakemake ends. Applying a record
twice changes nothing, so in doubt records are applied again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from services.errors import DatabaseUnavailable
from services.rundir import AttemptDir

Record = dict[str, Any]
Sink = Callable[[Sequence[Record]], None]

log = logging.getLogger(__name__)

BATCH_INTERVAL_S = 0.1  # that records wait for others
MAX_WRITE_SHARE = 0.02  # of the time spent on writing while records keep coming
MAX_BATCH_INTERVAL_S = 1.0  # that records wait at most for the sake of that share
FIRST_WRITE_DELAY_S = 1.0  # connecting earlier would slow down the start of Snakemake
DATABASE_RETRY_S = 2.0  # between two attempts while the database does not respond
FAILURE_HOLD_S = 1.0  # that a failed job is held back, as Snakemake may start it again
CLOSE_TIMEOUT_S = 5.0  # that the end of Snakemake waits for the last write
MAX_RECORDS_IN_MEMORY = 10_000
REPLAY_BATCH_RECORDS = 500


class Spool:
    """Records on disk, one JSON object per line, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    @property
    def pending(self) -> bool:
        return self.path.exists()

    def append(self, records: Sequence[Record]) -> None:
        """Append all records or none. Raises OSError when the disk is full."""
        if not records:
            return
        with self._lock:
            before = self.path.stat().st_size if self.pending else 0
            try:
                append(self.path, records)
            except OSError:
                if before:
                    os.truncate(self.path, before)
                else:
                    self.path.unlink(missing_ok=True)
                raise

    def drain(self, sink: Sink) -> None:
        """Pass all records to `sink`, then delete the file; it stays when `sink` raises."""
        if not self.pending:
            return
        with self.path.open("rb") as file:
            while True:
                if records := list(_records(islice(file, REPLAY_BATCH_RECORDS))):
                    sink(records)
                with self._lock:
                    if file.tell() >= self.path.stat().st_size:
                        self.path.unlink()
                        return


class Reporter:
    """Accepts records at any rate and delivers them in a thread of its own.

    `connect` is called once, in that thread, and returns the function that writes a batch. Both
    raise DatabaseUnavailable when the database does not respond. Without `connect` all records go
    to the spool. A failure of the thread is counted, and reported by `close`.
    """

    def __init__(
        self, attempt: AttemptDir, connect: Callable[[], Sink] | None, *, supervised: bool = False
    ) -> None:
        """`supervised`: a supervisor replays the spool after `close`."""
        self._attempt = attempt
        self._supervised = supervised
        self._spool = Spool(attempt.spool)
        self._connect = connect
        self._sink: Sink | None = None
        self._changed = threading.Condition()
        self._waiting: list[Record] = []
        self._sending: list[Record] = []
        self._held: dict[int, tuple[Record, float]] = {}
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._retry_at = 0.0
        self._next_at = 0.0  # when the next write keeps within MAX_WRITE_SHARE
        self.failures = 0
        self.last_failure = ""

    # ---- called by the logger plugin ------------------------------------------------------------

    def put(self, record: Record) -> None:
        """Accept a record. A failed job is held back briefly, as Snakemake may start it again."""
        if record["type"] == "started" and record["input"] and not record["output"]:
            with contextlib.suppress(OSError):  # the disk is full
                append(self._attempt.targets, [record["input"]])
        with self._changed:
            if record["type"] == "failed":
                self._hold(record)
            elif record["type"] in ("restarted", "started"):
                self._held.pop(record["job"], None)
            if record["type"] not in ("failed", "restarted"):
                self._waiting.append(record)
            if len(self._waiting) > MAX_RECORDS_IN_MEMORY:
                self._spill()
            self._start()
            self._changed.notify()

    def write_error(self, record: Record) -> None:
        """Write what explains a failure to the attempt's files, which need no database."""
        self._attempt.errors.parent.mkdir(parents=True, exist_ok=True)
        append(self._attempt.errors, [record])

    def count_failure(self, error: Exception) -> None:
        """Count a failure of the reporter itself."""
        self.failures += 1
        self.last_failure = f"{type(error).__name__}: {error}"

    def close(self) -> None:
        """Deliver the remaining records or leave them in the spool, within CLOSE_TIMEOUT_S."""
        with self._changed:
            first = not self._closing.is_set()
            self._closing.set()
            self._changed.notify()
        if not first:
            return
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)
        with self._changed:
            left = [*self._sending, *self._waiting, *self._take_due_failures(time.monotonic())]
            self._sending, self._waiting = [], []
        try:
            self._spool.append(left)
        except OSError as error:
            self.count_failure(error)
        if self.failures:
            print(
                f"rundesk: {self.failures} events could not be reported; the last error: "
                f"{self.last_failure}",
                file=sys.stderr,
            )

    # ---- the thread -----------------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="rundesk", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._waiting and not self._closing.is_set():
                    self._changed.wait(self._idle_timeout())
            self._closing.wait(self._batch_delay() if self._sink else FIRST_WRITE_DELAY_S)
            with self._changed:
                self._sending = [*self._waiting, *self._take_due_failures(time.monotonic())]
                self._waiting = []
                last = self._closing.is_set()
            try:
                self._deliver(last)
            except Exception as error:  # must not disturb Snakemake
                self.count_failure(error)
            with self._changed:
                self._sending = []
                if last:
                    return

    def _idle_timeout(self) -> float | None:
        """Return the seconds until there is work even without a new record."""
        if self._held:
            return FAILURE_HOLD_S
        return DATABASE_RETRY_S if self._connect and self._spool.pending else None

    def _batch_delay(self) -> float:
        """Return the seconds that records wait for others: the more records, the longer."""
        return max(BATCH_INTERVAL_S, self._next_at - time.monotonic())

    def _deliver(self, last: bool) -> None:
        """Write the records being sent; those that the database does not take go to the spool."""
        if self._connect is None or (last and self._sink is None and self._supervised):
            self._spool_sending()  # no database, or no longer worth a connection
        elif self._spool.pending:
            self._spool_sending()
            if not last and time.monotonic() >= self._retry_at:
                self._try_write(lambda sink: self._spool.drain(sink))
        elif self._sending and not self._try_write(lambda sink: sink(self._sending)):
            self._spool_sending()

    def _try_write(self, write: Callable[[Sink], None]) -> bool:
        """Call `write` with the sink; return False when the database does not respond."""
        try:
            if self._sink is None and self._connect is not None:
                self._sink = skip_unstorable(self._connect(), self.count_failure)
            if self._sink is not None:
                start = time.monotonic()
                write(self._sink)
                end = time.monotonic()
                self._next_at = end + min((end - start) / MAX_WRITE_SHARE, MAX_BATCH_INTERVAL_S)
        except DatabaseUnavailable:
            self._retry_at = time.monotonic() + DATABASE_RETRY_S
            return False
        return True

    def _spool_sending(self) -> None:
        """Spool the records being sent. On a full disk, write them to the database or wait."""
        try:
            with self._changed:
                self._spool.append(self._sending)
                self._sending = []
        except OSError:
            if self._connect is None or not self._try_write(self._bypass_spool):
                with self._changed:
                    self._waiting = [*self._sending, *self._waiting]

    def _bypass_spool(self, sink: Sink) -> None:
        self._spool.drain(sink)  # older records first
        sink(self._sending)

    def _spill(self) -> None:
        self._spool.append([*self._sending, *self._waiting])
        self._sending, self._waiting = [], []

    def _hold(self, record: Record) -> None:
        if not self._attempt.stopping.exists():  # a job that is being stopped did not fail
            self._held[record["job"]] = (record, time.monotonic() + FAILURE_HOLD_S)

    def _take_due_failures(self, now: float) -> list[Record]:
        """Remove and return the failed jobs that are no longer held back."""
        closing = self._closing.is_set()
        due = [job for job, (_, until) in self._held.items() if closing or until <= now]
        return [self._held.pop(job)[0] for job in due]


def skip_unstorable(sink: Sink, on_failure: Callable[[Exception], None]) -> Sink:
    """Return a sink that skips records that cannot be stored and passes the error on.

    A record that cannot be stored must not block those after it.
    """

    def write(records: Sequence[Record]) -> None:
        try:
            sink(records)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            if len(records) == 1:
                on_failure(error)
                return
            for record in records:
                write([record])

    return write


def append(path: Path, records: Sequence[Record]) -> None:
    """Append lines to a file of records. They survive a crash of the process, not of the host."""
    lines = "".join(json.dumps(record, default=str) + "\n" for record in records)
    with path.open("a", encoding="utf-8", errors="replace") as file:
        file.write(lines)


def read(path: Path) -> Iterator[Record]:
    """Yield the complete records of a file; none when the file does not exist."""
    if path.exists():
        with path.open("rb") as file:
            yield from _records(file)


def _records(lines: Iterable[bytes]) -> Iterator[Record]:
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:  # incomplete: its writer was killed
            continue
        if isinstance(record, dict):
            yield record


class Reporting(Protocol):
    """What the logger plugin needs of a reporter."""

    def put(self, record: Record) -> None: ...
    def write_error(self, record: Record) -> None: ...
    def count_failure(self, error: Exception) -> None: ...
    def close(self) -> None: ...


_handed_over: Reporting | None = None


def hand_over(reporter: Reporting) -> None:
    """Pass the plugin its reporter inside the process, so that no setting shows in arguments."""
    global _handed_over
    _handed_over = reporter


def get_handed_over() -> Reporting | None:
    """Return the reporter that `hand_over` passed, if any."""
    return _handed_over
