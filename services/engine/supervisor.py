"""One process per attempt: it starts Snakemake, ends it on request, and says how it ended.

It outlives runner, portal, API and database. The lock of the attempt, taken before the run was
handed over, is held by this process and by Snakemake, and by nothing that Snakemake starts.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from services.database import Database
from services.engine import causes, processes
from services.engine.execution import Order, execute
from services.engine.processes import Identity
from services.engine.settling import Ended, settle
from services.errors import DatabaseUnavailable, TransitionRefused
from services.models import State

log = logging.getLogger("rundesk.supervisor")

LEASE = timedelta(seconds=15)
BEAT = 1.0  # s between two renewals of the lease
PATIENCE = 2.0  # s that one word with the database may take
SWEEPING = 30.0  # s to end what a run left behind; longer only in uninterruptible sleep
BETWEEN_TRIES = 1.0  # s between two tries to settle while the database is away
HEARD = (signal.SIGTERM, signal.SIGCHLD)


def supervise(order: Order, lock: int) -> NoReturn:
    """Execute an order in this process, which was forked for it alone and has one thread."""
    try:
        Supervisor(order, lock).run()
    except BaseException:
        log.exception("the supervisor failed")
    finally:
        logging.shutdown()
        os._exit(0)


class Supervisor:
    """Follows one attempt from its first process to the final state of the run."""

    def __init__(self, order: Order, lock: int) -> None:
        self._order = order
        self._lock = lock
        self._attempt = order.target
        self._place = self._attempt.rundir.attempt(order.attempt)
        self._database: Database | None = None
        self._told_running = False
        self._canceled = self._shutdown = self._stale = False
        self._stop_until: float | None = None  # monotonic; after that SIGKILL

    def run(self) -> None:
        os.setsid()
        processes.become_subreaper()
        started = datetime.now(UTC)
        snakemake = self._start()
        processes.rename("rundesk-run")
        self._settle_in()
        status = self._watch(snakemake)
        self._sweep()
        if self._stale:
            log.info("another attempt has begun; this one says no more")
            return
        ended = self._ended(status, started)
        ended.write(self._place.exit)
        self._settle(ended)

    # ---- Snakemake ------------------------------------------------------------------------------

    def _start(self) -> int:
        parent = os.getpid()
        self._place.stopping.unlink(missing_ok=True)
        if (child := os.fork()) == 0:
            execute(self._order, parent)
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        return child

    def _settle_in(self) -> None:
        """Stand on our own: no stream of the runner, an identity in the lock, signals heard."""
        diary = os.open(self._place.diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(diary, stream)
        os.close(diary)
        logging.basicConfig(
            level=self._order.settings.log_level,
            format="%(asctime)s %(levelname)s %(message)s",
            force=True,
        )
        Identity.mine().write(self._lock)
        self._bell, bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._terminated)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)

    def _terminated(self, *_: object) -> None:
        self._shutdown = True

    def _watch(self, snakemake: int) -> int:
        """Until Snakemake has ended; its wait status."""
        beat = 0.0
        while True:
            for pid, status in processes.reap():
                if pid == snakemake:
                    return status
            if self._shutdown:
                self._stop(snakemake, self._order.settings.cancel_grace)
            if time.monotonic() >= beat:
                self._beat(snakemake)
                beat = time.monotonic() + BEAT
            if self._stop_until is not None and time.monotonic() >= self._stop_until:
                self._kill(snakemake)
            wait = max(0.0, min(beat, self._stop_until or beat) - time.monotonic())
            if select.select([self._bell], [], [], wait)[0]:
                os.read(self._bell, 4096)

    def _beat(self, snakemake: int) -> None:
        """Renew the lease and read the cancel flag; a missing database changes nothing."""
        try:
            state = self._renewed()
        except DatabaseUnavailable:
            return
        except TransitionRefused:
            self._stale = True
            self._stop(snakemake, 0.0)
            return
        except Exception:  # whatever the database says: the run goes on
            log.exception("the lease could not be renewed")
            return
        if state is State.CANCELING and self._stop_until is None:
            log.info("canceled")
            self._canceled = True
            self._stop(snakemake, self._order.settings.cancel_grace)

    def _renewed(self) -> State:
        runs = self._opened().runs
        now = datetime.now(UTC)
        run, attempt = self._order.run_id, self._order.attempt
        if not self._told_running:
            with contextlib.suppress(TransitionRefused):  # canceled already, or not ours any more
                runs.transition(run, State.RUNNING, attempt=attempt, now=now)
            self._told_running = True
        return runs.renew(run, attempt, until=now + LEASE)

    def _opened(self) -> Database:
        """The database, opened only now: a client must not be carried through a fork."""
        if self._database is None:
            settings = self._order.settings
            self._database = Database(settings.uri, settings.database, patience=PATIENCE)
        return self._database

    # ---- ending ----------------------------------------------------------------------------------

    def _stop(self, snakemake: int, grace: float) -> None:
        """Ask the whole group to end; `grace` seconds later it has to."""
        if self._stop_until is None:
            self._place.stopping.touch()
            self._stop_until = time.monotonic() + grace
            processes.send_group(snakemake, signal.SIGTERM)

    def _kill(self, snakemake: int) -> None:
        processes.send_group(snakemake, signal.SIGKILL)
        for process in processes.descendants(os.getpid()):
            processes.send(process, signal.SIGKILL)
        self._stop_until = time.monotonic() + BEAT  # again, while there is something left

    def _sweep(self) -> None:
        """End everything the run started that is still there. As a subreaper we are its parent."""
        order, me = self._order, os.getpid()

        def left() -> list[processes.Process]:
            for _ in processes.reap():
                pass
            return [*processes.descendants(me), *processes.tagged(order.run_id, order.attempt)]

        if not processes.end(left, patience=SWEEPING):
            log.error("some processes of the run cannot be ended: %s", left())

    def _ended(self, status: int, started: datetime) -> Ended:
        code = os.waitstatus_to_exitcode(status)
        shutdown = self._shutdown and not self._canceled and code != 0
        ended = Ended(
            exit_code=code if code >= 0 and not shutdown else None,
            signal=-code if code < 0 else None,
            canceled=self._canceled,
            shutdown=shutdown,
            started=started,
            ended=datetime.now(UTC),
        )
        evidence = self._attempt.evidence().ended(
            exit_code=ended.exit_code,
            signal=ended.signal,
            canceled=ended.canceled,
            shutdown=ended.shutdown,
        )
        return ended.model_copy(update={"cause": causes.explain(evidence)})

    def _settle(self, ended: Ended) -> None:
        """Bring it to the database, however long that is away. Without a folder there is no run."""
        told = False
        while self._place.root.exists():
            try:
                state = settle(self._attempt, self._opened(), ended)
            except TransitionRefused:
                log.warning("the run was settled by somebody else")
                return
            except Exception as error:
                if not isinstance(error, DatabaseUnavailable):
                    log.exception("the run could not be settled; trying again")
                elif not told:
                    log.info("ended; waiting for the database to say so")
                    told = True
                time.sleep(BETWEEN_TRIES)
            else:
                log.info("the run is %s", state)
                return
