"""Carries what Snakemake reports to the database, from inside Snakemake, without slowing it.

One thread writes in batches. When the database does not answer, records go to a spool file; as long
as that file exists everything goes through it, so that their order stays. What is left in it when
Snakemake ends is replayed by the supervisor. Applying records again changes nothing, so in doubt
they are applied twice.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from services.errors import DatabaseUnavailable
from services.rundir import AttemptDir

Record = dict[str, Any]
Sink = Callable[[Sequence[Record]], None]

log = logging.getLogger(__name__)

INTERVAL = 0.1  # s that records wait for others
SHARE = 0.02  # of the time that writing may take while records keep coming
LONGEST = 1.0  # s that records wait at most for that share to be kept
FIRST = 1.0  # s that the first ones wait: connecting takes from Snakemake what its start needs
RETRY = 2.0  # s between two tries while the database is away
HOLD = 1.0  # s that a failed job waits for the news that Snakemake starts it again
CLOSING = 5.0  # s that Snakemake's end waits for the last write
MOST_IN_MEMORY = 10_000  # records
BLOCK = 500  # records replayed at once


class Spool:
    """Records on disk, one JSON object a line, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing = threading.Lock()

    @property
    def pending(self) -> bool:
        return self.path.exists()

    def append(self, records: Sequence[Record]) -> None:
        """Add all of them or none. Raises OSError when the disk takes no more."""
        if not records:
            return
        with self._writing:
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
        """Hand everything to `sink`, then forget it; when `sink` raises, all of it stays."""
        if not self.pending:
            return
        with self.path.open("rb") as file:
            while True:
                if records := list(_records(islice(file, BLOCK))):
                    sink(records)
                with self._writing:
                    if file.tell() >= self.path.stat().st_size:
                        self.path.unlink()
                        return


class Reporter:
    """Takes records at any pace; a thread of its own delivers them.

    `connect` is called in that thread, once, and gives what writes a batch; it raises
    DatabaseUnavailable, as the sink does, when nobody answers. Without `connect` all goes to the
    spool. Nothing in here raises towards the caller: failures are counted and told at the end.
    """

    def __init__(
        self, attempt: AttemptDir, connect: Callable[[], Sink] | None, *, supervised: bool = False
    ) -> None:
        """`supervised`: somebody replays the spool when this is closed."""
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
        self._next_at = 0.0  # when the next write keeps to SHARE
        self.failures = 0
        self.last_failure = ""

    # ---- called by the logger plugin ------------------------------------------------------------

    def put(self, record: Record) -> None:
        """Take a record. A failed job is held back for a moment: Snakemake may start it again."""
        with self._changed:
            if record["type"] == "failed":
                self._hold(record)
            elif record["type"] in ("restarted", "started"):
                self._held.pop(record["job"], None)
            if record["type"] not in ("failed", "restarted"):
                self._waiting.append(record)
            if len(self._waiting) > MOST_IN_MEMORY:
                self._spill()
            self._start()
            self._changed.notify()

    def note(self, record: Record) -> None:
        """Keep what explains a failure beside the run, where it is found without the database."""
        self._attempt.errors.parent.mkdir(parents=True, exist_ok=True)
        append(self._attempt.errors, [record])

    def failed(self, error: Exception) -> None:
        """Count a failure of the observer itself."""
        self.failures += 1
        self.last_failure = f"{type(error).__name__}: {error}"

    def close(self) -> None:
        """Deliver what is there, or leave it in the spool; takes CLOSING seconds at most."""
        with self._changed:
            first = not self._closing.is_set()
            self._closing.set()
            self._changed.notify()
        if not first:
            return
        if self._thread is not None:
            self._thread.join(CLOSING)
        with self._changed:
            left = [*self._sending, *self._waiting, *self._due(time.monotonic())]
            self._sending, self._waiting = [], []
        try:
            self._spool.append(left)
        except OSError as error:
            self.failed(error)
        if self.failures:
            print(
                f"rundesk: {self.failures} events could not be reported; the last: "
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
                    self._changed.wait(self._patience())
            self._closing.wait(self._pause() if self._sink else FIRST)
            with self._changed:
                self._sending = [*self._waiting, *self._due(time.monotonic())]
                self._waiting = []
                last = self._closing.is_set()
            try:
                self._deliver(last)
            except Exception as error:  # an observer never breaks what it observes
                self.failed(error)
            with self._changed:
                self._sending = []
                if last:
                    return

    def _patience(self) -> float | None:
        """Seconds until there is something to do even if no record comes."""
        if self._held:
            return HOLD
        return RETRY if self._connect and self._spool.pending else None

    def _pause(self) -> float:
        """Seconds that records wait for others: short in a trickle, longer in a stream."""
        return max(INTERVAL, self._next_at - time.monotonic())

    def _deliver(self, last: bool) -> None:
        """Write what is being sent; what the database does not take is in the spool after that."""
        if self._connect is None or (last and self._sink is None and self._supervised):
            self._keep()  # not worth connecting any more
        elif self._spool.pending:
            self._keep()
            if not last and time.monotonic() >= self._retry_at:
                self._reach(lambda sink: self._spool.drain(sink))
        elif self._sending and not self._reach(lambda sink: sink(self._sending)):
            self._keep()

    def _reach(self, write: Callable[[Sink], None]) -> bool:
        """Do `write` with the database; False when it does not answer."""
        try:
            if self._sink is None and self._connect is not None:
                self._sink = tolerant(self._connect(), self.failed)
            if self._sink is not None:
                begun = time.monotonic()
                write(self._sink)
                over = time.monotonic()
                self._next_at = over + min((over - begun) / SHARE, LONGEST)
        except DatabaseUnavailable:
            self._retry_at = time.monotonic() + RETRY
            return False
        return True

    def _keep(self) -> None:
        """Put what is being sent into the spool; past it, or back, when the disk is full."""
        try:
            with self._changed:
                self._spool.append(self._sending)
                self._sending = []
        except OSError:
            if self._connect is None or not self._reach(self._past_the_spool):
                with self._changed:
                    self._waiting = [*self._sending, *self._waiting]

    def _past_the_spool(self, sink: Sink) -> None:
        self._spool.drain(sink)  # older ones first
        sink(self._sending)

    def _spill(self) -> None:
        self._spool.append([*self._sending, *self._waiting])
        self._sending, self._waiting = [], []

    def _hold(self, record: Record) -> None:
        if not self._attempt.stopping.exists():  # a job that is being ended did not fail
            self._held[record["job"]] = (record, time.monotonic() + HOLD)

    def _due(self, now: float) -> list[Record]:
        everything = self._closing.is_set()
        over = [job for job, (_, until) in self._held.items() if everything or until <= now]
        return [self._held.pop(job)[0] for job in over]


def tolerant(sink: Sink, failed: Callable[[Exception], None]) -> Sink:
    """`sink` for batches of which some records cannot be stored: those are told to `failed`.

    A record that nobody can store must not stand in the way of all that come after it.
    """

    def write(records: Sequence[Record]) -> None:
        try:
            sink(records)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            if len(records) == 1:
                failed(error)
                return
            for record in records:
                write([record])

    return write


def append(path: Path, records: Sequence[Record]) -> None:
    """Add lines to a file of records. Survives the death of the process, not that of the host."""
    lines = "".join(json.dumps(record, default=str) + "\n" for record in records)
    with path.open("a", encoding="utf-8", errors="replace") as file:
        file.write(lines)


def read(path: Path) -> Iterator[Record]:
    """The records of a file, as far as they are whole; none when there is no file."""
    if path.exists():
        with path.open("rb") as file:
            yield from _records(file)


def _records(lines: Iterable[bytes]) -> Iterator[Record]:
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:  # cut off by the death of its writer
            continue
        if isinstance(record, dict):
            yield record


_handed_over: Reporter | None = None


def hand_over(reporter: Reporter) -> None:
    """Give the plugin its reporter inside the process, so that no setting shows in arguments."""
    global _handed_over
    _handed_over = reporter


def handed_over() -> Reporter | None:
    return _handed_over
