"""One process per attempt: it starts Snakemake, stops it on request, and records how it ended.

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
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import NoReturn

from services.database import Database
from services.engine import causes, confinement, shared_outputs
from services.engine.console import Console
from services.engine.end_recorder import record_via_runner
from services.engine.execution import Order, Preparation, execute
from services.engine.publishing import PublishingStopped
from services.engine.report_pipe import ReportPipe
from services.engine.reporter import Reporter, Sink
from services.engine.settling import ExitRecord, find_cause, publish_results, record_end
from services.errors import DatabaseUnavailable, TransitionRefused
from services.host import processes
from services.host.processes import Identity
from services.models import CauseKind, Publishing, State
from services.settings import MIB

log = logging.getLogger("rundesk.supervisor")

LEASE_DURATION = timedelta(seconds=15)
RENEWAL_INTERVAL_S = 1.0
FIRST_RENEWAL_S = 1.0  # after the start; connecting earlier would slow down Snakemake's start
DATABASE_TIMEOUT_S = 2.0  # for one operation
KILL_INTERVAL_S = 1.0  # between two SIGKILLs while processes are left
LEFTOVERS_TIMEOUT_S = 30.0  # to end leftovers; takes longer only in uninterruptible sleep
STOP_CHECK_S = 0.1  # between two checks while publishing is repeated
RECORD_RETRY_S = 1.0  # between two attempts to record the end
DETERMINISTIC_CAUSES = (CauseKind.WALLTIME, CauseKind.WORKFLOW_INVALID)  # not tried again


class StopReason(Enum):
    """Why an attempt is stopped; earlier ones take precedence."""

    SUPERSEDED = auto()  # the run has another attempt or is settled: this one records nothing
    WALLTIME = auto()
    SHUTDOWN = auto()  # the supervisor received SIGTERM
    CANCELED = auto()


@dataclass(frozen=True)
class Stop:
    """A decision to stop an attempt."""

    reason: StopReason
    deadline: float  # monotonic; from then on processes get SIGKILL


class Action(Enum):
    """What to do with the processes of an attempt."""

    NONE = auto()
    TERMINATE = auto()  # SIGTERM to Snakemake's process group
    KILL = auto()  # SIGKILL to everything


def decide(
    now: float,
    stop: Stop | None,
    requests: Collection[StopReason],
    *,
    time_limit: float,
    grace: float,
) -> tuple[Stop | None, Action]:
    """Return the stop that now applies to an attempt, and what to do with its processes.

    `now` and `time_limit` are monotonic times, `grace` are seconds; `requests` are the reasons to
    stop that were observed so far.

    | present stop     | observed            | new stop                          | action    |
    |------------------|---------------------|-----------------------------------|-----------|
    | none             | nothing             | none                              | NONE      |
    | none             | superseded          | SUPERSEDED, deadline now          | TERMINATE |
    | none             | time limit reached, | the first of these reasons,       | TERMINATE |
    |                  | shutdown, canceled  | deadline after `grace`            |           |
    | before deadline  | anything            | unchanged                         | NONE      |
    | deadline reached | anything            | the same, deadline after          | KILL      |
    |                  |                     | KILL_INTERVAL_S                   |           |

    A later reason does not replace an earlier one, except SUPERSEDED, which keeps the deadline.
    """
    superseded = StopReason.SUPERSEDED in requests
    if stop is None:
        reasons = {*requests, *([StopReason.WALLTIME] if now >= time_limit else [])}
        if not reasons:
            return None, Action.NONE
        reason = next(reason for reason in StopReason if reason in reasons)
        return Stop(reason, now + (0.0 if superseded else grace)), Action.TERMINATE
    if superseded:
        stop = replace(stop, reason=StopReason.SUPERSEDED)
    if now < stop.deadline:
        return stop, Action.NONE
    return replace(stop, deadline=now + KILL_INTERVAL_S), Action.KILL


def supervise(order: Order, lock: int, runner_socket: socket.socket) -> NoReturn:
    """Execute an order in this process, which was forked for it alone and has one thread.

    It leads a session and is a subreaper already. Behind `runner_socket` is the end recorder.
    """
    try:
        Supervisor(order, lock, runner_socket).run()
    except BaseException:
        log.exception("the supervisor failed")
    finally:
        logging.shutdown()
        os._exit(0)


@dataclass(frozen=True)
class Child:
    """The process that becomes Snakemake, and the three pipes from it."""

    pid: int
    console: Console
    reports: ReportPipe
    preparation: Preparation


class Supervisor:
    """Follows one attempt from its first process to the final state of the run."""

    def __init__(self, order: Order, lock: int, runner_socket: socket.socket) -> None:
        self._order = order
        self._lock = lock
        self._runner_socket = runner_socket
        self._attempt = order.target
        self._files = self._attempt.rundir.attempt(order.attempt)
        self._database: Database | None = None
        self._connecting = threading.Lock()
        self._ready = False  # the run is prepared
        self._running_recorded = False
        self._requests: set[StopReason] = set()
        self._stop: Stop | None = None
        self._publishing: Publishing | None = None  # while results are published

    def run(self) -> None:
        """Execute the attempt and record its end."""
        if self._order.publishes_only:
            self._publish_only()
            return
        started = datetime.now(UTC)
        try:
            child = self._start()
        except OSError as error:
            log.exception("the run could not be prepared")
            cause = causes.preparation_failure(error)
            self._report_end(ExitRecord(ended=datetime.now(UTC), cause=cause))
            return
        kills = processes.out_of_memory_kills()
        processes.rename("rundesk-run")
        child.console.start()
        reporter = Reporter(self._files, self._sink, supervised=True)
        child.reports.start(reporter)
        status = self._watch(child)
        self._end_leftovers()
        child.console.finish()
        child.reports.finish()
        reporter.close()
        confinement.leave_nothing(self._attempt.rundir)
        shared_outputs.adopt(self._order.settings.cache, self._attempt.rundir.cache)
        if self._stop is not None and self._stop.reason is StopReason.SUPERSEDED:
            log.info("another attempt has started; the end of this one is not recorded")
            return
        oom = processes.out_of_memory_kills() > kills
        self._report_end(self._exit_record(child.preparation, status, started, oom))

    def _report_end(self, record: ExitRecord) -> None:
        """Write the end to its file, which outlives this process, then to the database."""
        try:
            record.write(self._files.exit)
        except OSError:  # the disk is full; the database may still accept the record
            log.exception("exit.json could not be written")
        self._settle(record)

    def _publish_only(self) -> None:
        """Publish the results and record the end of an attempt whose supervisor was lost."""
        self._take_over()
        self._handle_signals()
        processes.rename("rundesk-run")
        record = ExitRecord.read(self._files.exit)
        if record is not None:
            self._settle(record)

    def _settle(self, record: ExitRecord) -> None:
        """Publish the results and record the end in the database."""
        with self._lease_renewed():
            try:
                record = self._published(record)
            except PublishingStopped:
                if StopReason.CANCELED not in self._requests:
                    log.info("stopped before the results were published; the runner continues")
                    return
                fields = {"canceled": True, "cause": causes.canceled_cause()}
                record = record.model_copy(update=fields)
            # An attempt too short to have connected leaves it to the runner, and the runner counts
            # those that could not be prepared.
            if (self._database is None or record.started is None) and record_via_runner(
                self._runner_socket, self._attempt, record
            ):
                log.info("the runner has recorded the end")
            else:
                self._record(record)

    def _published(self, record: ExitRecord) -> ExitRecord:
        """Publish the results. Raises PublishingStopped when the attempt is to stop."""
        self._publishing = Publishing()
        try:
            return publish_results(
                self._attempt,
                record,
                is_stopped=lambda: bool(self._requests),
                wait=self._wait_unless_stopped,
                progress=self._publishing,
            )
        finally:
            self._publishing = None

    def _wait_unless_stopped(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._requests:
                raise PublishingStopped
            time.sleep(STOP_CHECK_S)

    # ---- Snakemake ------------------------------------------------------------------------------

    def _start(self) -> Child:
        """Fork the process that becomes Snakemake. Raises OSError when the disk is full.

        From here on this process uses no stream of the runner, and its identity is in the lock.
        """
        self._take_over()
        self._files.stopping.unlink(missing_ok=True)
        console = Console(self._files.console, self._order.settings.max_console * MIB)
        reports, preparation = ReportPipe(), Preparation()
        parent = os.getpid()
        if (pid := os.fork()) == 0:
            execute(self._order, parent, console, reports, preparation)
        preparation.expect()
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return Child(pid, console, reports, preparation)

    def _take_over(self) -> None:
        """Use no stream of the runner, and write the identity of this process into the lock."""
        log_file = os.open(
            self._files.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644
        )
        for stream in (1, 2):
            os.dup2(log_file, stream)
        os.close(log_file)
        Identity.mine().write(self._lock)

    def _handle_signals(self) -> int:
        """Install the signal handlers; return a pipe that is readable after a signal."""
        wakeup, signaled = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(signaled, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._requests.add(StopReason.SHUTDOWN))
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        return wakeup

    def _watch(self, child: Child) -> int:
        """Wait until Snakemake has ended, and stop it when that is due; return its wait status."""
        wakeup, settings = self._handle_signals(), self._order.settings
        start = time.monotonic()
        time_limit = start + (settings.walltime * 60 or math.inf)
        next_renewal = first_renewal = start + FIRST_RENEWAL_S
        while True:
            if child.preparation.receive():
                next_renewal = first_renewal  # record RUNNING as soon as possible
            self._ready = child.preparation.ready
            for pid, status in processes.reap():
                if pid == child.pid:
                    child.preparation.receive()
                    self._ready = child.preparation.ready
                    self._apply_requests(time_limit=math.inf)
                    return status
            if (action := self._apply_requests(time_limit=time_limit)) is not Action.NONE:
                self._act(action, child.pid)
            if time.monotonic() >= next_renewal:
                self._heartbeat()
                next_renewal = time.monotonic() + RENEWAL_INTERVAL_S
            else:
                deadline = time_limit if self._stop is None else self._stop.deadline
                _wait(wakeup, child.preparation, min(next_renewal, deadline))

    def _apply_requests(self, *, time_limit: float) -> Action:
        grace = self._order.settings.cancel_grace
        self._stop, action = decide(
            time.monotonic(), self._stop, self._requests, time_limit=time_limit, grace=grace
        )
        return action

    def _act(self, action: Action, snakemake: int) -> None:
        if action is Action.TERMINATE and self._stop is not None:
            log.info("stopping Snakemake: %s", self._stop.reason.name)
            with contextlib.suppress(OSError):  # a full disk must not prevent the stop
                self._files.stopping.touch()
            processes.send_group(snakemake, signal.SIGTERM)
        elif action is Action.KILL:
            processes.send_group(snakemake, signal.SIGKILL)
            for process in processes.descendants(os.getpid()):
                processes.send(process, signal.SIGKILL)

    def _heartbeat(self) -> None:
        """Renew the lease and note requests to stop; without a database the run continues."""
        try:
            state = self._renew_lease()
        except DatabaseUnavailable:
            return
        except TransitionRefused:
            self._requests.add(StopReason.SUPERSEDED)
        except Exception:  # must not end the run
            log.exception("the lease could not be renewed")
        else:
            if state is State.CANCELING:
                self._requests.add(StopReason.CANCELED)

    def _renew_lease(self) -> State:
        """Renew the lease, and record RUNNING before the first time; return the state of the run.

        Raises DatabaseUnavailable, and TransitionRefused when the run has another attempt.
        """
        database, now = self._connect(), datetime.now(UTC)
        run, attempt = self._order.run.id, self._order.attempt
        if self._ready and not self._running_recorded:
            with contextlib.suppress(TransitionRefused):  # canceled or superseded meanwhile
                database.runs.start(run, attempt, now=now)
            self._running_recorded = True
        return database.queue.renew(run, attempt, now=now, lease=LEASE_DURATION)

    def _connect(self) -> Database:
        """Return the database; connected late, as a client must not exist before a fork."""
        with self._connecting:
            if self._database is None:
                settings = self._order.settings
                self._database = Database(
                    settings.uri, settings.database, patience=DATABASE_TIMEOUT_S
                )
            return self._database

    def _sink(self) -> Sink:
        """Return the function that writes reports of Snakemake to the database."""
        return partial(self._connect().jobs.apply, self._order.run.id, self._order.attempt)

    # ---- the end ---------------------------------------------------------------------------------

    def _end_leftovers(self) -> None:
        """End all processes that the run left; as a subreaper this process is their parent."""
        order, own_pid = self._order, os.getpid()

        def leftovers() -> list[processes.Process]:
            for _ in processes.reap():
                pass
            if processes.childless():  # no process that a run starts can escape a subreaper
                return []
            tagged = processes.tagged(order.run.id, order.attempt)
            return [*processes.descendants(own_pid), *tagged]

        if not processes.end(leftovers, patience=LEFTOVERS_TIMEOUT_S):
            log.error("some processes of the run cannot be ended: %s", leftovers())

    def _exit_record(
        self, preparation: Preparation, status: int, started: datetime, oom: bool
    ) -> ExitRecord:
        code = os.waitstatus_to_exitcode(status)
        reason = self._stop.reason if self._stop is not None else None
        shutdown = reason is StopReason.SHUTDOWN and code != 0
        record = ExitRecord(
            exit_code=code if code >= 0 and preparation.ready and not shutdown else None,
            signal=-code if code < 0 else None,
            canceled=reason is StopReason.CANCELED,
            overtime=reason is StopReason.WALLTIME,
            shutdown=shutdown,
            started=started if preparation.ready else None,
            ended=datetime.now(UTC),
        )
        failure = preparation.failure
        if failure is not None and not record.canceled:
            fields = {"cause": failure.cause, "hopeless": failure.hopeless}
            return record.model_copy(update=fields)
        cause = find_cause(
            self._attempt,
            exit_code=record.exit_code,
            signal=record.signal,
            canceled=record.canceled,
            overtime=self._order.settings.walltime if record.overtime else 0.0,
            shutdown=record.shutdown,
            oom=oom,
        )
        hopeless = cause is not None and cause.kind in DETERMINISTIC_CAUSES
        return record.model_copy(update={"cause": cause, "hopeless": hopeless})

    @contextlib.contextmanager
    def _lease_renewed(self) -> Iterator[None]:
        """Keep renewing the lease: publishing large results takes time. No forks from here on."""
        finished = threading.Event()

        def work() -> None:
            while not finished.wait(RENEWAL_INTERVAL_S):
                self._heartbeat()
                self._report_publishing()

        thread = threading.Thread(target=work, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            finished.set()

    def _report_publishing(self) -> None:
        if self._publishing is not None:
            fields = {"publishing": self._publishing.model_dump()}
            with contextlib.suppress(DatabaseUnavailable):
                self._connect().runs.report(self._order.run.id, self._order.attempt, fields)

    def _record(self, record: ExitRecord) -> None:
        """Record the end, however long the database is unavailable, while the run exists."""
        waiting = False
        while self._files.root.exists():
            if StopReason.SHUTDOWN in self._requests and waiting:
                log.info("stopped before the end was recorded; the runner records it")
                return
            try:
                state = record_end(self._attempt, self._connect(), record)
            except TransitionRefused:
                log.warning("the run was already settled by another process")
                return
            except Exception as error:
                if not isinstance(error, DatabaseUnavailable):
                    log.exception("the run could not be settled; trying again")
                elif not waiting:
                    log.info("ended; waiting for the database to record it")
                    waiting = True
                time.sleep(RECORD_RETRY_S)
            else:
                log.info("the run is %s", state)
                return


def _wait(wakeup: int, preparation: Preparation, until: float) -> None:
    """Wait for a signal, for the message of the preparation, or until a monotonic time."""
    sources = [wakeup] if preparation.finished else [wakeup, preparation.fileno()]
    readable, _, _ = select.select(sources, [], [], max(0.0, until - time.monotonic()))
    if wakeup in readable:
        os.read(wakeup, 4096)
