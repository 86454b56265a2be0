"""Takes queued runs and hands them to the nursery, within the desk's limits."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from services.database import Database
from services.database.queue import Claim, Usage
from services.engine import causes
from services.engine.execution import Order
from services.engine.fork_server import Nursery, NurseryFailed
from services.engine.settling import Attempt, Ended, settle
from services.engine.supervisor import LEASE
from services.errors import TransitionRefused
from services.host import disk
from services.models import Cause
from services.rundir import AttemptDir, RunDir
from services.settings import Settings

log = logging.getLogger("rundesk.dispatcher")

Clock = Callable[[], datetime]


class Dispatcher:
    """One tick starts what may start.

    `claiming` is held from the claim in the database to the lock on disk: the reconciler holds it
    while it compares both, so that it never takes a run that is about to start for a dead one.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        nursery: Nursery,
        *,
        host: str,
        claiming: threading.Lock,
    ) -> None:
        self._settings = settings
        self._database = database
        self._nursery = nursery
        self._host = host
        self._claiming = claiming
        self._idle = False  # nothing was live at the last look, and only this process starts runs
        self._full = False  # the disk was

    def tick(self, now: datetime) -> int:
        """Start queued runs until the queue or the room is at its end; how many."""
        started, clock = 0, _clock(now)
        while self._nursery.ready() and self._has_disk() and self._start_one(clock):
            started += 1
        if words := self._nursery.trouble():
            self._fail_one(words, clock)
        return started

    def _has_disk(self) -> bool:
        full = disk.too_full(self._settings)
        if full != self._full:
            self._full = full
            least = self._settings.disk_floor
            if full:
                log.warning("less than %d MiB of disk are free: no run starts", least)
            else:
                log.warning("%d MiB of disk are free again: runs start", least)
        return not full

    def _start_one(self, clock: Clock) -> bool:
        """Whether a run was taken and started."""
        if (taken := self._take(clock)) is None:
            return False
        claim, lock = taken
        run, cores = claim.run, min(claim.run.cores, self._settings.shared_cores)
        try:
            self._nursery.order(Order(self._settings, run, claim.attempt, cores), lock)
        except NurseryFailed as error:
            os.close(lock)
            self._give_back(claim, error.message, clock())
            return False
        os.close(lock)  # the supervisor has it too
        log.info("run %s started, attempt %d, %d cores", run.id, claim.attempt, cores)
        return True

    def _take(self, clock: Clock) -> tuple[Claim, int] | None:
        """The next run that the limits allow, with the lock of its attempt."""
        with self._claiming:
            if (claim := self._claim(clock)) is None:
                return None
            try:
                lock = acquire(self._place(claim))
            except OSError as error:
                self._fail(claim, causes.unprepared(error), clock())
                return None
        if lock is None:
            raise RuntimeError(f"attempt {claim.attempt} of run {claim.run.id} is locked already")
        return claim, lock

    def _claim(self, clock: Clock) -> Claim | None:
        """The next run that the limits allow.

        It starts after the look at what is taken: a place that it takes got free before that.
        """
        settings, most = self._settings, self._settings.max_runs_per_owner
        usage = Usage() if self._idle else self._database.queue.usage(host=self._host)
        free = settings.shared_cores - usage.cores
        if usage.runs >= settings.max_runs or (usage.runs and free < 1):
            return None
        self._idle = False
        claim = self._database.queue.claim(
            host=self._host,
            now=clock(),
            lease=LEASE,
            # Alone, a run may want more than there is: it was lowered since the run was submitted.
            cores=free if usage.runs else None,
            passing=[owner for owner, runs in usage.owners.items() if 0 < most <= runs],
        )
        self._idle = claim is None and usage.runs == 0
        return claim

    def _give_back(self, claim: Claim, words: str, now: datetime) -> None:
        """After an order that failed, unless its supervisor is at work all the same."""
        if lock := acquire(self._place(claim)):
            try:
                self._fail(claim, causes.unstarted(words), now)
            finally:
                os.close(lock)

    def _fail_one(self, words: str, clock: Clock) -> None:
        """No run can start: the next one does not wait in vain for ever."""
        if (taken := self._take(clock)) is not None:
            claim, lock = taken
            os.close(lock)
            self._give_back(claim, words, clock())

    def _fail(self, claim: Claim, cause: Cause, now: datetime) -> None:
        """Settle an attempt that never started."""
        log.warning("run %s could not be started: %s", claim.run.id, cause.message)
        ended = Ended(ended=now, cause=cause)
        with contextlib.suppress(OSError):  # for the reconciler, should the database go away now
            ended.write(self._place(claim).exit)
        try:
            settle(Attempt(self._settings, claim.run.id, claim.attempt), self._database, ended)
        except TransitionRefused:  # canceled meanwhile: the reconciler finds it with a free lock
            log.info("run %s is no longer ours to move", claim.run.id)

    def _place(self, claim: Claim) -> AttemptDir:
        return RunDir.of(self._settings.data, claim.run.id).attempt(claim.attempt)


def _clock(now: datetime) -> Clock:
    """What goes on from `now`: a tick that starts many runs, or waits, takes a while."""
    begun = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - begun)


def acquire(place: AttemptDir) -> int | None:
    """The lock of an attempt as an open file; None when somebody has it."""
    place.root.mkdir(parents=True, exist_ok=True)
    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except BaseException:
        os.close(lock)
        raise
    return lock
