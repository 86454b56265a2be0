"""One process per attempt: it starts Snakemake, ends it on request, and says how it ended.

It outlives runner, portal, API and database. The lock of the attempt, taken before the run was
handed over, is held by this process and by Snakemake, and by nothing that Snakemake starts.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from services.database import Database
from services.engine import causes, errands
from services.engine.console import Console
from services.engine.execution import Order, Preparation, execute
from services.engine.settling import Ended, listed, record, why
from services.errors import DatabaseUnavailable, TransitionRefused
from services.host import processes
from services.host.processes import Identity
from services.models import CauseKind, State
from services.settings import MIB

log = logging.getLogger("rundesk.supervisor")

LEASE = timedelta(seconds=15)
BEAT = 1.0  # s between two renewals of the lease
FIRST_BEAT = 1.0  # s; before it, connecting would take from Snakemake what it needs to start
PATIENCE = 2.0  # s that one word with the database may take
SWEEPING = 30.0  # s to end what a run left behind; longer only in uninterruptible sleep
BETWEEN_TRIES = 1.0  # s between two tries to settle while the database is away
SAME_AGAIN = (CauseKind.WALLTIME, CauseKind.WORKFLOW_INVALID)  # however often it is tried


def supervise(order: Order, lock: int, door: socket.socket) -> NoReturn:
    """Execute an order in this process, which was forked for it alone and has one thread.

    It leads a session and is a subreaper already. `door` is where the runner takes errands.
    """
    try:
        Supervisor(order, lock, door).run()
    except BaseException:
        log.exception("the supervisor failed")
    finally:
        logging.shutdown()
        os._exit(0)


class Supervisor:
    """Follows one attempt from its first process to the final state of the run."""

    def __init__(self, order: Order, lock: int, door: socket.socket) -> None:
        self._order = order
        self._lock = lock
        self._door = door
        self._attempt = order.target
        self._place = self._attempt.rundir.attempt(order.attempt)
        self._database: Database | None = None
        self._told_running = False
        self._canceled = self._overtime = self._shutdown = self._stale = False
        self._stop_until: float | None = None  # monotonic; after that SIGKILL

    def run(self) -> None:
        started = datetime.now(UTC)
        try:
            snakemake = self._start()
        except OSError as error:
            log.exception("the run could not be prepared")
            self._say(Ended(ended=datetime.now(UTC), cause=causes.unprepared(error)))
            return
        kills = processes.out_of_memory_kills()
        processes.rename("rundesk-run")
        self._console.start()
        self._listen()
        status = self._watch(snakemake)
        self._sweep()
        self._console.finish()
        if self._stale:
            log.info("another attempt has begun; this one says no more")
            return
        oom = processes.out_of_memory_kills() > kills
        self._say(self._ended(status, started, oom))

    def _say(self, ended: Ended) -> None:
        """To the file first, which outlives us, then to the database."""
        try:
            ended.write(self._place.exit)
        except OSError:  # a full disk; the database may take it all the same
            log.exception("exit.json could not be written")
        with self._renewing():
            ended = listed(self._attempt, ended)
            if self._database is None and errands.asked(self._door, self._attempt, ended):
                log.info("the runner has told the database")  # it was too short to connect
            else:
                self._record(ended)

    # ---- Snakemake ------------------------------------------------------------------------------

    def _start(self) -> int:
        """Fork what becomes Snakemake. Raises OSError when the disk takes not even our own files.

        From here on we have no stream of the runner, and our identity is in the lock.
        """
        diary = os.open(self._place.diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(diary, stream)
        os.close(diary)
        Identity.mine().write(self._lock)
        self._place.stopping.unlink(missing_ok=True)
        self._console = Console(self._place.console, self._order.settings.max_console * MIB)
        self._preparation = Preparation()
        parent = os.getpid()
        if (child := os.fork()) == 0:
            execute(self._order, parent, self._console, self._preparation)
        self._preparation.listen()
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        return child

    def _listen(self) -> None:
        """Have signals heard while we wait."""
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
        begun = time.monotonic()
        until = begun + (self._order.settings.walltime * 60 or math.inf)
        beat = first = begun + FIRST_BEAT
        while True:
            self._preparation.hear()
            for pid, status in processes.reap():
                if pid == snakemake:
                    self._preparation.hear()
                    return status
            if time.monotonic() >= until and self._stop_until is None:
                log.info("it took too long")
                self._overtime = True
            if self._shutdown or self._overtime:
                self._stop(snakemake, self._order.settings.cancel_grace)
            if time.monotonic() >= beat:
                self._beat(snakemake)
                beat = time.monotonic() + BEAT
            if self._stop_until is not None and time.monotonic() >= self._stop_until:
                self._kill(snakemake)
            if self._wait(min(beat, until if self._stop_until is None else self._stop_until)):
                beat = first  # prepared: to be told at once

    def _wait(self, until: float) -> bool:
        """Until a signal arrives, or it is time; True when the preparation has come to its end."""
        sources: list[int] = [self._bell]
        if not self._preparation.over:
            sources.append(self._preparation.fileno())
        heard, _, _ = select.select(sources, [], [], max(0.0, until - time.monotonic()))
        if self._bell in heard:
            os.read(self._bell, 4096)
        return self._preparation.fileno() in heard

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
        database, now = self._opened(), datetime.now(UTC)
        run, attempt = self._order.run.id, self._order.attempt
        if self._preparation.ready and not self._told_running:
            with contextlib.suppress(TransitionRefused):  # canceled already, or not ours any more
                database.runs.start(run, attempt, now=now)
            self._told_running = True
        return database.queue.renew(run, attempt, now=now, lease=LEASE)

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
            with contextlib.suppress(OSError):  # a full disk is no reason to go on
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
            if processes.childless():  # what a run starts cannot escape a subreaper
                return []
            return [*processes.descendants(me), *processes.tagged(order.run.id, order.attempt)]

        if not processes.end(left, patience=SWEEPING):
            log.error("some processes of the run cannot be ended: %s", left())

    def _ended(self, status: int, started: datetime, oom: bool) -> Ended:
        code = os.waitstatus_to_exitcode(status)
        shutdown = self._shutdown and not self._canceled and code != 0
        ready, failure = self._preparation.ready, self._preparation.failure
        ended = Ended(
            exit_code=code if code >= 0 and ready and not shutdown else None,
            signal=-code if code < 0 else None,
            canceled=self._canceled,
            overtime=self._overtime,
            shutdown=shutdown,
            started=started if ready else None,
            ended=datetime.now(UTC),
        )
        if failure is not None and not ended.canceled:
            told = {"cause": failure.cause, "hopeless": failure.hopeless}
            return ended.model_copy(update=told)
        cause = why(
            self._attempt,
            exit_code=ended.exit_code,
            signal=ended.signal,
            canceled=ended.canceled,
            overtime=self._order.settings.walltime if ended.overtime else 0.0,
            shutdown=ended.shutdown,
            oom=oom,
        )
        hopeless = cause is not None and cause.kind in SAME_AGAIN
        return ended.model_copy(update={"cause": cause, "hopeless": hopeless})

    @contextlib.contextmanager
    def _renewing(self) -> Iterator[None]:
        """Keep the lease: listing large results takes its time. No more forks from here on."""
        over = threading.Event()

        def work() -> None:
            while not over.wait(BEAT):
                with contextlib.suppress(Exception):
                    self._renewed()

        thread = threading.Thread(target=work, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()

    def _record(self, ended: Ended) -> None:
        """Bring it to the database, however long that is away. Without a folder there is no run."""
        told = False
        while self._place.root.exists():
            try:
                state = record(self._attempt, self._opened(), ended)
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
