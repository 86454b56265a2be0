"""Compares what the database says with what is alive, and settles the difference."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from services.database import Database
from services.database.queue import Lease
from services.engine import causes
from services.engine.dispatcher import acquire
from services.engine.settling import Attempt, Ended, settle, why
from services.errors import DatabaseUnavailable, TransitionRefused
from services.host import processes
from services.host.processes import Identity
from services.models import State
from services.rundir import AttemptDir, RunDir
from services.settings import Settings

log = logging.getLogger("rundesk.reconciler")

SWEEPING = 10.0  # s to end what a dead attempt left behind
#: After a lease ran out. With its length that is less than two minutes without a sign of life.
OVERDUE = timedelta(seconds=90)
STUCK = timedelta(seconds=5)  # the same for who was told to end
SETTLED = timedelta(seconds=10)  # that the database must have been there: leases need it too


class Reconciler:
    """The same function at the runner's start and every few seconds.

    For each live run (INITIALIZING, RUNNING, CANCELING) of this host, whatever its lease says:

    | lock of the attempt          | exit.json | then                                             |
    |------------------------------|-----------|--------------------------------------------------|
    | held, no identity in it      | any       | nothing: the dispatcher is preparing it          |
    | held, its supervisor lives   | any       | nothing: it renews its lease when it can         |
    | the same, but the run is to  | any       | it is stopped or stuck: end who holds it; then:  |
    | end and its lease ran out    |           | free                                             |
    | held, its supervisor is dead | any       | end who holds it, forks of Snakemake; then: free |
    | free                         | there     | end what is left; settle by exit.json            |
    | free                         | none      | end what is left; CANCELING → CANCELED, attempts |
    |                              |           | left → QUEUED, none left → SYSTEM_ERROR          |
    | free, leftovers do not end   | any       | nothing yet, they may still write; next time     |

    A lock never outlives its holders, also when they are killed or the host is restarted; so a
    free lock means that nobody is at work, and a time limit is not needed to know it. A supervisor
    is known by boot, number and start time: a recycled number is a stranger, a zombie is dead.

    | live run of another host     | then                                                         |
    |------------------------------|--------------------------------------------------------------|
    | its lease is not overdue     | nothing                                                      |
    | its lease is overdue         | flag it as unreachable, once; a renewal takes the flag away  |

    It is never taken away from there: from here nobody can see what lives there.
    """

    def __init__(
        self, settings: Settings, database: Database, *, host: str, claiming: threading.Lock
    ) -> None:
        self._settings = settings
        self._database = database
        self._host = host
        self._claiming = claiming
        self._there_since: datetime | None = None  # the database, without a break

    def tick(self, now: datetime) -> int:
        """Settle what is dead; how many runs were."""
        with self._claiming:
            leases = self._leases(now)
            own = [lease for lease in leases if lease.host == self._host]
            dead = [(lease, lock) for lease in own if (lock := self._free(lease, now))]
        settled = 0
        try:
            for lease, _ in dead:
                settled += self._settle(lease, now)
        finally:
            for _, lock in dead:
                os.close(lock)
        for lease in leases:
            if lease.host != self._host:
                self._watch(lease, now)
        return settled

    def _leases(self, now: datetime) -> list[Lease]:
        try:
            leases = self._database.queue.leases()
        except DatabaseUnavailable:
            self._there_since = None
            raise
        self._there_since = self._there_since or now
        return leases

    def _watch(self, lease: Lease, now: datetime) -> None:
        """Flag a run of another host that gives no sign of life."""
        there = self._there_since is not None and now - self._there_since >= SETTLED
        overdue = there and now - lease.until >= OVERDUE
        if overdue and self._database.queue.flag_unreachable(lease, now=now):
            log.warning("run %s: its host %s gives no sign of life", lease.run_id, lease.host)

    def _free(self, lease: Lease, now: datetime) -> int | None:
        """The lock of an attempt, when nobody is at work on it."""
        place = RunDir.of(self._settings.data, lease.run_id).attempt(lease.attempt)
        try:
            if lock := acquire(place):
                return lock
            identity = _holder(place)
            ending = lease.state is State.CANCELING and now - lease.until >= STUCK
            if identity is None or (identity.alive and not ending):
                return None
            log.warning("run %s: its supervisor is dead or stuck, its lock is held", lease.run_id)
            processes.end(lambda: processes.holding(place.lock), patience=SWEEPING)
            return acquire(place)
        except OSError:  # one run's trouble is not that of others
            log.exception("run %s cannot be looked at", lease.run_id)
            return None

    def _settle(self, lease: Lease, now: datetime) -> int:
        """Settle one dead attempt, whose lock is ours; 1 when it was settled."""
        left = processes.end(
            lambda: processes.tagged(lease.run_id, lease.attempt), patience=SWEEPING
        )
        if not left:
            log.error("run %s left processes behind that cannot be ended", lease.run_id)
            return 0
        attempt = Attempt(self._settings, lease.run_id, lease.attempt)
        try:
            ended = Ended.read(attempt.rundir.attempt(lease.attempt).exit)
            state = settle(attempt, self._database, ended or _vanished(attempt, lease, now))
        except TransitionRefused:  # its supervisor was faster
            return 0
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("run %s could not be settled", lease.run_id)
            return 0
        log.warning(
            "run %s, attempt %d: nobody was at work; %s", lease.run_id, lease.attempt, state
        )
        return 1


def _vanished(attempt: Attempt, lease: Lease, now: datetime) -> Ended:
    """How an attempt ended that could not say so."""
    canceled = lease.state is State.CANCELING
    tell = causes.explain if canceled else causes.lost
    return Ended(canceled=canceled, ended=now, cause=why(attempt, tell, canceled=canceled))


def _holder(place: AttemptDir) -> Identity | None:
    with _opened(place) as file:
        return Identity.read(file)


@contextmanager
def _opened(place: AttemptDir) -> Iterator[int]:
    file = os.open(place.lock, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)
