"""Compares the database with the living processes, and settles runs whose processes are dead."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from services.database import Database
from services.database.queue import Lease
from services.engine import causes
from services.engine.dispatcher import acquire
from services.engine.execution import Order
from services.engine.fork_server import ForkServer, ForkServerFailed
from services.engine.settling import AttemptTarget, ExitRecord, find_cause, record_end
from services.errors import DatabaseUnavailable, Message, TransitionRefused
from services.host import processes
from services.host.processes import Identity
from services.models import Cause, CauseKind, State
from services.rundir import AttemptDir, RunDir
from services.settings import Settings

log = logging.getLogger("rundesk.reconciler")

LEFTOVERS_TIMEOUT_S = 10.0  # to end the processes that a dead attempt left behind
#: From the expiry of a lease until its run is flagged. With the duration of a lease, this is less
#: than two minutes without a response of the host.
UNREACHABLE_AFTER = timedelta(seconds=90)
STUCK_AFTER = timedelta(seconds=5)  # from the expiry of the lease of a supervisor that must end
DATABASE_STABLE_FOR = timedelta(seconds=10)  # leases are renewed only while it is available

NOT_LISTED = Message(
    "system_error",
    "The run succeeded, but the processes that published its results were killed.",
    hint="Resume the run: finished jobs are not executed again.",
)


class Reconciler:
    """Settles dead attempts: once when the runner starts, and then every few seconds.

    For each live run (INITIALIZING, RUNNING, CANCELING) of this host, whatever its lease says:

    | lock of the attempt          | exit.json | action                                           |
    |------------------------------|-----------|--------------------------------------------------|
    | held, without an identity    | any       | none: the dispatcher is preparing it             |
    | held, supervisor alive       | any       | none: it renews its lease when it can            |
    | the same, but the run is     | any       | the supervisor is stopped or stuck: end the      |
    | CANCELING with an expired    |           | holders of the lock; continue as with a free one |
    | lease                        |           |                                                  |
    | held, supervisor dead        | any       | end the holders of the lock, which are forks of  |
    |                              |           | Snakemake; continue as with a free one           |
    | free                         | success   | end leftovers; have the results published by a   |
    |                              |           | process of their own, which holds the lock       |
    | free                         | failure   | end leftovers; settle by exit.json               |
    | free                         | missing   | end leftovers; CANCELING → CANCELED, attempts    |
    |                              |           | left → QUEUED, none left → SYSTEM_ERROR          |
    | free, leftovers do not end   | any       | none yet, they may still write; try again later  |

    A lock never outlives its holders, even when they are killed or the host is restarted. So a
    free lock proves that no process works on the attempt, without any time limit. A supervisor is
    identified by boot, pid and start time: a reused pid is another process, a zombie is dead.

    | live run of another host     | action                                                       |
    |------------------------------|--------------------------------------------------------------|
    | lease not overdue            | none                                                         |
    | lease overdue                | flag it as unreachable, once; a renewal removes the flag     |

    It is never taken over, because its processes cannot be seen from this host.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        fork_server: ForkServer,
        *,
        host: str,
        claiming: threading.Lock,
    ) -> None:
        self._settings = settings
        self._database = database
        self._fork_server = fork_server
        self._host = host
        self._claiming = claiming
        self._published: Counter[tuple[str, int]] = Counter()  # tries, by attempt
        self._database_since: datetime | None = None  # available without interruption

    def tick(self, now: datetime) -> int:
        """Settle dead attempts; return how many were settled."""
        with self._claiming:
            leases = self._leases(now)
            own = [lease for lease in leases if lease.host == self._host]
            dead = [(lease, lock) for lease in own if (lock := self._lock_if_dead(lease, now))]
        settled = 0
        try:
            for lease, lock in dead:
                settled += self._settle(lease, lock, now)
        finally:
            for _, lock in dead:
                os.close(lock)
        for lease in leases:
            if lease.host != self._host:
                self._flag_if_unreachable(lease, now)
        return settled

    def _leases(self, now: datetime) -> list[Lease]:
        try:
            leases = self._database.queue.leases()
        except DatabaseUnavailable:
            self._database_since = None
            raise
        self._database_since = self._database_since or now
        return leases

    def _flag_if_unreachable(self, lease: Lease, now: datetime) -> None:
        """Flag a run of another host that does not renew its lease."""
        since = self._database_since
        stable = since is not None and now - since >= DATABASE_STABLE_FOR
        overdue = stable and now - lease.until >= UNREACHABLE_AFTER
        if overdue and self._database.queue.flag_unreachable(lease, now=now):
            log.warning("run %s: its host %s is unreachable", lease.run_id, lease.host)

    def _lock_if_dead(self, lease: Lease, now: datetime) -> int | None:
        """Acquire the lock of an attempt on which no process works; else return None."""
        attempt = RunDir.of(self._settings.data, lease.run_id).attempt(lease.attempt)
        try:
            if lock := acquire(attempt):
                return lock
            identity = _read_identity(attempt)
            stuck = lease.state is State.CANCELING and now - lease.until >= STUCK_AFTER
            if identity is None or (identity.alive and not stuck):
                return None
            log.warning(
                "run %s: its supervisor is dead or stuck, and its lock is held", lease.run_id
            )
            processes.end(lambda: processes.holding(attempt.lock), patience=LEFTOVERS_TIMEOUT_S)
            return acquire(attempt)
        except OSError:  # must not affect other runs
            log.exception("run %s cannot be examined", lease.run_id)
            return None

    def _settle(self, lease: Lease, lock: int, now: datetime) -> int:
        """Settle a dead attempt whose lock is held here; return 1 when it was settled, else 0."""
        ended = processes.end(
            lambda: processes.tagged(lease.run_id, lease.attempt), patience=LEFTOVERS_TIMEOUT_S
        )
        if not ended:
            log.error("run %s: processes that it left behind cannot be ended", lease.run_id)
            return 0
        attempt = AttemptTarget(self._settings, lease.run_id, lease.attempt)
        try:
            record = ExitRecord.read(attempt.rundir.attempt(lease.attempt).exit)
            record = record or _record_of_loss(attempt, lease, now)
            if record.state is State.COMPLETE:
                if self._published[lease.run_id, lease.attempt] < self._settings.attempts:
                    return self._publish(lease, lock)
                record = _record_of_results_lost(record)
            state = record_end(attempt, self._database, record)
        except TransitionRefused:  # its supervisor was faster
            return 0
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("run %s could not be settled", lease.run_id)
            return 0
        log.warning(
            "run %s, attempt %d had no processes: now %s", lease.run_id, lease.attempt, state
        )
        return 1

    def _publish(self, lease: Lease, lock: int) -> int:
        """Have results published by a process of their own, which may take long."""
        run = self._database.runs.get(lease.run_id, None)
        if run is None or not self._fork_server.is_ready:
            return 0
        self._published[lease.run_id, lease.attempt] += 1
        order = Order(self._settings, run, lease.attempt, 0, publishes_only=True)
        try:
            self._fork_server.send_order(order, lock)
        except ForkServerFailed as error:
            log.warning("run %s: its results cannot be published now: %s", run.id, error)
            return 0
        log.info("run %s, attempt %d had ended well: publishing it", run.id, lease.attempt)
        return 1


def _record_of_results_lost(record: ExitRecord) -> ExitRecord:
    """Return the record of a run whose results several processes died of."""
    text = NOT_LISTED()
    cause = Cause(kind=CauseKind.UNKNOWN, message=str(text), hint=text.hint)
    return record.model_copy(update={"cause": cause, "unlisted": True, "hopeless": True})


def _record_of_loss(attempt: AttemptTarget, lease: Lease, now: datetime) -> ExitRecord:
    """Return the exit record of an attempt that did not write one."""
    canceled = lease.state is State.CANCELING
    explain = causes.explain if canceled else causes.explain_loss
    cause = find_cause(attempt, explain, canceled=canceled)
    return ExitRecord(canceled=canceled, ended=now, cause=cause)


def _read_identity(attempt: AttemptDir) -> Identity | None:
    """Read the identity of the supervisor from the lock of an attempt."""
    with _open_lock(attempt) as file:
        return Identity.read(file)


@contextmanager
def _open_lock(attempt: AttemptDir) -> Iterator[int]:
    file = os.open(attempt.lock, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)
