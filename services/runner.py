"""`python -m services.runner`: starts runs, and settles those whose processes are dead.

There is one per data folder. It may end or be killed at any time: runs continue without it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from apscheduler.events import EVENT_JOB_EXECUTED, JobEvent
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers import SchedulerNotRunningError
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

from services.bootstrap import Services, build
from services.database import suitability
from services.engine.brake import Brake
from services.engine.confinement import check_wall
from services.engine.dispatcher import Dispatcher
from services.engine.end_recorder import EndRecorder
from services.engine.fork_server import ForkServer
from services.engine.reconciler import Reconciler
from services.errors import DatabaseUnavailable, Message, Misconfigured
from services.files.importer import Importer
from services.host.atomic import write_atomically
from services.settings import Settings

log = logging.getLogger("rundesk.runner")

DISPATCH_INTERVAL_S = 1.0  # between two checks of the queue without a notification
RECONCILE_INTERVAL_S = 2.0
HEARTBEAT_INTERVAL_S = 5.0  # within which a page shows why no run starts
IMPORT_INTERVAL_S = 1.0
CLEANUP_INTERVAL_S = 600.0  # of unfinished uploads and of unused files
SHUTDOWN_RETRY_S = 0.05  # while the scheduler has not started yet
FAILED_TICK_PAUSE_S = 1.0  # after a tick that failed, as while the database is unavailable


FOREIGN_DATABASE = Message(
    "misconfigured",
    "The database belongs to another data folder than {folder}.",
    hint="Set RUNDESK_DATABASE or MONGODB_URI to a database of its own. If the folder was replaced,"
    " copy the file id of the former folder into it.",
)


class ResilientTick:
    """A tick that never raises; logs once when the database becomes unavailable or available."""

    database_unavailable = False  # shared by all ticks of the process

    def __init__(self, tick: Callable[[datetime], int]) -> None:
        self._tick = tick
        self._not_before = 0.0

    def __call__(self) -> None:
        if time.monotonic() < self._not_before:
            return
        try:
            self._tick(datetime.now(UTC))
        except DatabaseUnavailable:
            self._not_before = time.monotonic() + FAILED_TICK_PAUSE_S
            self._log_database(unavailable=True)
        except Exception:
            self._not_before = time.monotonic() + FAILED_TICK_PAUSE_S
            log.exception("a tick failed")
        else:
            self._log_database(unavailable=False)

    @staticmethod
    def _log_database(*, unavailable: bool) -> None:
        if unavailable != ResilientTick.database_unavailable:
            ResilientTick.database_unavailable = unavailable
            state = "unavailable" if unavailable else "available again"
            log.warning("the database is %s", state)


class JobTrigger:
    """Makes a scheduler execute a job immediately.

    The scheduler never executes a job twice at the same time. If the job is being executed when it
    is triggered, it may have missed the change that caused the trigger, so it is executed again
    afterwards.
    """

    def __init__(self, scheduler: BaseScheduler, job: str) -> None:
        self._scheduler = scheduler
        self._job = job
        self._triggered = threading.Event()
        scheduler.add_listener(self._run_again_if_triggered, EVENT_JOB_EXECUTED)

    def wrap(self, tick: Callable[[], None]) -> Callable[[], None]:
        """Return `tick` as the job to schedule."""

        def job() -> None:
            self._triggered.clear()
            tick()

        return job

    def trigger(self) -> None:
        """Execute the job as soon as possible. May be called from any thread."""
        if not self._triggered.is_set():  # else the job is about to start
            self._triggered.set()
            self._run_now()

    def _run_again_if_triggered(self, event: JobEvent) -> None:
        if event.job_id == self._job and self._triggered.is_set():
            self._run_now()

    def _run_now(self) -> None:
        with contextlib.suppress(JobLookupError):  # the scheduler was shut down
            self._scheduler.modify_job(self._job, next_run_time=datetime.now(UTC))


def run(services: Services, fork_server: ForkServer, host: str, brake: Brake) -> None:
    """Execute the periodic jobs until SIGTERM or SIGINT."""
    claiming = threading.Lock()
    dispatcher = Dispatcher(
        services.settings,
        services.database,
        fork_server,
        host=host,
        claiming=claiming,
        brake=brake,
    )

    def beat(now: datetime) -> int:
        services.database.hosts.beat(host, now=now, reason=dispatcher.reason)
        return 1

    reconciler = Reconciler(
        services.settings, services.database, fork_server, host=host, claiming=claiming
    )
    importer = Importer(
        services.database, services.files, services.fetcher, services.inbox, host=host
    )
    scheduler = BlockingScheduler(
        timezone=UTC,
        job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
    )
    trigger = JobTrigger(scheduler, "dispatch")
    dispatch = trigger.wrap(ResilientTick(dispatcher.tick))
    for name, tick, seconds in (
        ("reconcile", ResilientTick(reconciler.tick), RECONCILE_INTERVAL_S),
        ("dispatch", dispatch, DISPATCH_INTERVAL_S),
        ("clean up uploads", ResilientTick(services.uploads.sweep), CLEANUP_INTERVAL_S),
        ("clean up files", ResilientTick(services.files.sweep), CLEANUP_INTERVAL_S),
        ("clean up runs", ResilientTick(services.runs.sweep), CLEANUP_INTERVAL_S),
        ("heartbeat", ResilientTick(beat), HEARTBEAT_INTERVAL_S),
        ("import files", ResilientTick(importer.tick), IMPORT_INTERVAL_S),
    ):
        now = datetime.now(UTC)
        scheduler.add_job(tick, "interval", id=name, seconds=seconds, next_run_time=now)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _shut_down(scheduler))
    changes = services.database.queue_changes(trigger.trigger)
    changes.start()
    try:
        scheduler.start()
    finally:
        changes.stop()


def main() -> int:
    try:
        settings = Settings.load()
        check_wall(settings)
    except Misconfigured as error:
        print(error.message, file=sys.stderr)
        return 2
    with exclusive_lock(settings.data) as acquired:
        if not acquired:
            print(f"Another runner already uses {settings.data}.", file=sys.stderr)
            return 1
        services = build(settings)
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        brake = Brake()
        end_recorder = EndRecorder(settings, services.database, brake)
        fork_server = ForkServer(settings, end_recorder.runner_socket)
        try:
            fork_server.ensure_ready()  # it starts while the database does
            end_recorder.start()
            services.database.wait(on_wait=partial(_check_server, settings))
            services.database.create_indexes()
            _check_server(settings)
            bind(services)
            log.info(
                "starting runs: up to %d at a time, on %d cores",
                settings.max_runs,
                settings.shared_cores,
            )
            run(services, fork_server, host_name(settings.data), brake)
        except Misconfigured as error:
            print(f"{error.message} {error.hint}".rstrip(), file=sys.stderr)
            return 2
        finally:
            fork_server.stop()
            end_recorder.stop()
            services.close()
    return 0


def _check_server(settings: Settings) -> None:
    """Raise Misconfigured for a database that cannot be used; one that is away may come back."""
    try:
        suitability.check(settings.uri, settings.database)
    except Misconfigured as error:
        if error.text.message in suitability.MAY_PASS:
            log.warning("%s", error.message)
            return
        raise


def bind(services: Services) -> None:
    """Bind the database to this data folder. Raises Misconfigured when it belongs to another.

    Two runners with folders of their own would take the runs of the other for dead.
    """
    own = folder_id(services.settings.data)
    if services.database.installations.bind(own) != own:
        raise Misconfigured(FOREIGN_DATABASE(folder=services.settings.data))


def folder_id(data: Path) -> str:
    """Return the id of a data folder, which is made when the folder has none."""
    path = data / "id"
    if not path.exists():
        with write_atomically(path, durable=True) as file:
            file.write(secrets.token_hex(8))
    return path.read_text(encoding="utf-8").strip()


@contextlib.contextmanager
def exclusive_lock(data: Path) -> Iterator[bool]:
    """Hold the lock of a data folder's runner during the block; yield whether it was free."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "runner.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def host_name(data: Path) -> str:
    """Return the name under which this data folder's runner holds leases.

    It is stored in the folder, because a container gets a new host name with every start and must
    still recognize the runs of the one before it.
    """
    path = data / "host"
    if not path.exists():
        path.write_text(socket.gethostname(), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _shut_down(scheduler: BlockingScheduler) -> None:
    """Shut down in a thread: a signal handler may interrupt a holder of the scheduler's lock."""

    def work() -> None:
        while True:
            try:
                scheduler.shutdown(wait=False)
                break
            except SchedulerNotRunningError:  # the signal arrived before its start
                time.sleep(SHUTDOWN_RETRY_S)

    threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
