"""Claims queued runs and passes them to the fork server, within the limits of this server."""

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
from services.engine.brake import Brake
from services.engine.execution import Order
from services.engine.fork_server import ForkServer, ForkServerFailed
from services.engine.settling import AttemptTarget, ExitRecord, record_end
from services.engine.supervisor import LEASE_DURATION
from services.errors import Text, TransitionRefused
from services.host import disk
from services.models import Cause
from services.rundir import AttemptDir, RunDir
from services.settings import Settings

log = logging.getLogger("rundesk.dispatcher")

Clock = Callable[[], datetime]


class Dispatcher:
    """Starts queued runs at each tick.

    `claiming` is held from the claim in the database until the lock on disk is held. The reconciler
    holds it while it compares both, so it never takes a run that is about to start for a dead one.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        fork_server: ForkServer,
        *,
        host: str,
        claiming: threading.Lock,
        brake: Brake | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._fork_server = fork_server
        self._host = host
        self._claiming = claiming
        self._idle = False  # no run was live at the last query; only this process starts runs
        self._brake = brake or Brake()
        self._obstacle: Text | None = None  # why no run starts, at the last check

    def tick(self, now: datetime) -> int:
        """Start queued runs until none is left or a limit is reached; return how many."""
        started, clock = 0, _clock(now)
        while self._fork_server.ensure_ready() and self._may_start() and self._start_next(clock):
            started += 1
        if failure := self._fork_server.take_failure():
            self._fail_next(failure, clock)
        return started

    @property
    def reason(self) -> str:
        """Why no run starts on this host, as of the last check; empty: runs start."""
        return str(self._obstacle or "")

    def _may_start(self) -> bool:
        """Return whether storage and recent preparations allow a start; log changes of that."""
        obstacle = disk.obstacle(self._settings) or self._brake.reason
        if obstacle is not None and (
            self._obstacle is None or obstacle.code != self._obstacle.code
        ):
            log.warning("no run starts: %s", obstacle)
        elif obstacle is None and self._obstacle is not None:
            log.warning("runs start again")
        self._obstacle = obstacle
        return obstacle is None

    def _start_next(self, clock: Clock) -> bool:
        """Start the next run that the limits allow; return whether there was one."""
        if (claimed := self._claim_and_lock(clock)) is None:
            return False
        claim, lock = claimed
        run, cores = claim.run, min(claim.run.cores, self._settings.shared_cores)
        try:
            order = Order(self._settings, run, claim.attempt, cores)
            self._fork_server.send_order(order, lock)
        except ForkServerFailed as error:
            os.close(lock)
            self._fail_unless_running(claim, error.text, clock())
            return False
        os.close(lock)  # the supervisor holds it too
        log.info("run %s started, attempt %d, %d cores", run.id, claim.attempt, cores)
        return True

    def _claim_and_lock(self, clock: Clock) -> tuple[Claim, int] | None:
        """Claim the next run that the limits allow; return it with the lock of its attempt."""
        with self._claiming:
            if (claim := self._claim(clock)) is None:
                return None
            try:
                lock = acquire(self._attempt_dir(claim))
            except OSError as error:
                self._fail(claim, causes.preparation_failure(error), clock())
                return None
        if lock is None:
            raise RuntimeError(f"attempt {claim.attempt} of run {claim.run.id} is locked already")
        return claim, lock

    def _claim(self, clock: Clock) -> Claim | None:
        """Claim the next run that the limits allow.

        Usage is queried before the time of the claim is taken, so a run always starts after the end
        of the run whose capacity it uses.
        """
        settings, limit = self._settings, self._settings.max_runs_per_owner
        usage = Usage() if self._idle else self._database.queue.usage(host=self._host)
        free = settings.shared_cores - usage.cores
        if usage.runs >= settings.max_runs or (usage.runs and free < 1):
            return None
        self._idle = False
        claim = self._database.queue.claim(
            host=self._host,
            now=clock(),
            lease=LEASE_DURATION,
            # Alone, a run may need more than there are: the limit was lowered after its submission.
            cores=free if usage.runs else None,
            passing=[owner for owner, runs in usage.owners.items() if 0 < limit <= runs],
        )
        self._idle = claim is None and usage.runs == 0
        return claim

    def _fail_unless_running(self, claim: Claim, failure: Text, now: datetime) -> None:
        """Settle an attempt whose order failed, unless its supervisor is running nevertheless."""
        if lock := acquire(self._attempt_dir(claim)):
            try:
                self._fail(claim, causes.staging_failure(failure), now)
            finally:
                os.close(lock)

    def _fail_next(self, failure: Text, clock: Clock) -> None:
        """Fail the next run, so that it does not wait forever while no run can start."""
        if (claimed := self._claim_and_lock(clock)) is not None:
            claim, lock = claimed
            os.close(lock)
            self._fail_unless_running(claim, failure, clock())

    def _fail(self, claim: Claim, cause: Cause, now: datetime) -> None:
        """Settle an attempt that never started."""
        log.warning("run %s could not be started: %s", claim.run.id, cause.message)
        self._brake.failed(claim.run.id, cause.message)
        record = ExitRecord(ended=now, cause=cause)
        with contextlib.suppress(OSError):  # for the reconciler, if the database fails now
            record.write(self._attempt_dir(claim).exit)
        target = AttemptTarget(self._settings, claim.run.id, claim.attempt)
        try:
            record_end(target, self._database, record)
        except TransitionRefused:  # canceled meanwhile: the reconciler settles it, its lock is free
            log.info("run %s changed its state meanwhile", claim.run.id)

    def _attempt_dir(self, claim: Claim) -> AttemptDir:
        return RunDir.of(self._settings.data, claim.run.id).attempt(claim.attempt)


def _clock(now: datetime) -> Clock:
    """Return a clock that starts at `now`: a tick that starts many runs, or waits, takes time."""
    start = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - start)


def acquire(attempt: AttemptDir) -> int | None:
    """Acquire the lock of an attempt; return its file descriptor, None while it is held."""
    attempt.root.mkdir(parents=True, exist_ok=True)
    lock = os.open(attempt.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except BaseException:
        os.close(lock)
        raise
    return lock
