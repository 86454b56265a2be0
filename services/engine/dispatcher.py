"""Takes queued runs, prepares them and hands them to the nursery, within the desk's limits."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from services.database import Database
from services.database.runs import Claim, Usage
from services.engine.execution import Order
from services.engine.nursery import Nursery, NurseryFailed
from services.engine.staging import StagingFailed, stage
from services.engine.supervisor import LEASE
from services.errors import DiskFull, TransitionRefused
from services.models import Cause, CauseKind, State
from services.rundir import AttemptDir, RunDir
from services.settings import Settings

log = logging.getLogger("rundesk.dispatcher")


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
        blob: Callable[[str], Path],
        claiming: threading.Lock,
    ) -> None:
        self._settings = settings
        self._database = database
        self._nursery = nursery
        self._host = host
        self._blob = blob
        self._claiming = claiming
        self._idle = False  # nothing was live at the last look, and only this process starts runs

    def tick(self, now: datetime) -> int:
        """Start queued runs until the queue or the room is at its end; how many."""
        started = 0
        while self._nursery.ready() and (taken := self._take(now)):
            claim, lock, cores = taken
            try:
                self._start(claim, lock, cores, now)
            finally:
                os.close(lock)  # the supervisor has it too
            started += 1
        return started

    def _take(self, now: datetime) -> tuple[Claim, int, int] | None:
        """The next run with its lock, and the cores it gets."""
        usage = Usage(0, 0) if self._idle else self._database.runs.usage()
        free = self._settings.shared_cores - usage.cores
        if usage.runs >= self._settings.max_runs or (usage.runs and free < 1):
            return None
        # Alone, a run may want more than there is: the setting was lowered since it was submitted.
        wanted = free if usage.runs else None
        with self._claiming:
            self._idle = False
            claim = self._database.runs.claim(host=self._host, now=now, lease=LEASE, cores=wanted)
            if claim is None:
                self._idle = usage.runs == 0
                return None
            lock = acquire(RunDir.of(self._settings.data, claim.run.id).attempt(claim.attempt))
        if lock is None:
            raise RuntimeError(f"attempt {claim.attempt} of run {claim.run.id} is locked already")
        return claim, lock, min(claim.run.cores, self._settings.shared_cores)

    def _start(self, claim: Claim, lock: int, cores: int, now: datetime) -> None:
        run, rundir = claim.run, RunDir.of(self._settings.data, claim.run.id)
        workflow = self._settings.data / "workflows" / run.digest
        try:
            if claim.attempt > 1:  # of a Snakemake that is proven dead: it could not remove them
                shutil.rmtree(rundir.root / ".snakemake" / "locks", ignore_errors=True)
            snakefile = stage(run, rundir, workflow, self._blob)
            order = Order(self._settings, run.id, claim.attempt, snakefile, cores)
            self._nursery.order(order, lock)
        except (StagingFailed, DiskFull) as error:
            self._give_up(claim, error, now)
        except NurseryFailed as error:
            log.warning("run %s could not be started: %s", run.id, error.message)
            self._move(claim, State.QUEUED, now, note=error.message)
        else:
            log.info("run %s started, attempt %d, %d cores", run.id, claim.attempt, cores)

    def _give_up(self, claim: Claim, error: StagingFailed | DiskFull, now: datetime) -> None:
        full = isinstance(error, DiskFull)
        cause = Cause(
            kind=CauseKind.DISK_FULL if full else CauseKind.STAGING_FAILED,
            message=error.message,
            hint="Tell the operators of this desk; then run it again." if full else error.hint,
        )
        log.error("run %s could not be prepared: %s", claim.run.id, error.message)
        self._move(claim, State.SYSTEM_ERROR, now, cause=cause)

    def _move(
        self,
        claim: Claim,
        target: State,
        now: datetime,
        *,
        note: str = "",
        cause: Cause | None = None,
    ) -> None:
        try:
            self._database.runs.transition(
                claim.run.id, target, attempt=claim.attempt, now=now, note=note, cause=cause
            )
        except TransitionRefused:  # canceled meanwhile: the reconciler finds it with a free lock
            log.info("run %s is no longer ours to move", claim.run.id)


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
