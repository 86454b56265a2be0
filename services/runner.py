"""`python -m services.runner`: starts runs, and settles those that nobody looks after any more.

One per data folder. It may end or be killed at any time: runs go on without it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
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
from services.engine.dispatcher import Dispatcher
from services.engine.errands import Errands
from services.engine.fork_server import Nursery
from services.engine.reconciler import Reconciler
from services.errors import DatabaseUnavailable, Misconfigured
from services.files.importer import Importer
from services.settings import Settings

log = logging.getLogger("rundesk.runner")

DISPATCH = 1.0  # s between two looks at the queue when no change of it was heard
RECONCILE = 2.0  # s
IMPORTS = 1.0  # s between two looks for what is to be imported
SWEEP = 600.0  # s between two looks at uploads that nobody finished
AFTER_START = 0.05  # s between two tries to end what has only just begun
AWAY = 1.0  # s between two looks while the database is away


class Patient:
    """A tick that outlives everything, and tells once when the database goes or is back."""

    away = False  # of the process, not of one tick

    def __init__(self, tick: Callable[[datetime], int]) -> None:
        self._tick = tick
        self._not_before = 0.0

    def __call__(self) -> None:
        if time.monotonic() < self._not_before:
            return
        try:
            self._tick(datetime.now(UTC))
        except DatabaseUnavailable:
            self._not_before = time.monotonic() + AWAY
            self._tell(away=True)
        except Exception:
            self._not_before = time.monotonic() + AWAY
            log.exception("a tick failed")
        else:
            self._tell(away=False)

    @staticmethod
    def _tell(*, away: bool) -> None:
        if away != Patient.away:
            Patient.away = away
            log.warning("the database does not answer" if away else "the database is back")


class Bell:
    """Has a job of a scheduler done at once.

    The scheduler never does a job twice at a time. If it is being done when the bell rings, it may
    have looked already at what changed since: it is done again right after.
    """

    def __init__(self, scheduler: BaseScheduler, job: str) -> None:
        self._scheduler = scheduler
        self._job = job
        self._rung = threading.Event()
        scheduler.add_listener(self._done, EVENT_JOB_EXECUTED)

    def heard_by(self, tick: Callable[[], None]) -> Callable[[], None]:
        """`tick` as the job to be done when this rings."""

        def done_when_rung() -> None:
            self._rung.clear()
            tick()

        return done_when_rung

    def ring(self) -> None:
        """From any thread."""
        if not self._rung.is_set():  # else the job is yet to begin
            self._rung.set()
            self._at_once()

    def _done(self, event: JobEvent) -> None:
        if event.job_id == self._job and self._rung.is_set():
            self._at_once()

    def _at_once(self) -> None:
        with contextlib.suppress(JobLookupError):  # the scheduler was shut down
            self._scheduler.modify_job(self._job, next_run_time=datetime.now(UTC))


def run(services: Services, nursery: Nursery, host: str) -> None:
    """Tick until SIGTERM or SIGINT."""
    claiming = threading.Lock()
    wire = partial(Dispatcher, services.settings, services.database, nursery, host=host)
    dispatcher = wire(claiming=claiming)
    reconciler = Reconciler(services.settings, services.database, host=host, claiming=claiming)
    importer = Importer(
        services.database, services.files, services.fetcher, services.inbox, host=host
    )
    scheduler = BlockingScheduler(
        timezone=UTC,
        job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
    )
    bell = Bell(scheduler, "dispatch")
    dispatch = bell.heard_by(Patient(dispatcher.tick))
    for name, tick, seconds in (
        ("reconcile", Patient(reconciler.tick), RECONCILE),
        ("dispatch", dispatch, DISPATCH),
        ("sweep", Patient(services.uploads.sweep), SWEEP),
        ("tidy", Patient(services.files.sweep), SWEEP),
        ("imports", Patient(importer.tick), IMPORTS),
    ):
        now = datetime.now(UTC)
        scheduler.add_job(tick, "interval", id=name, seconds=seconds, next_run_time=now)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _shut_down(scheduler))
    changes = services.database.queue_changes(bell.ring)
    changes.start()
    try:
        scheduler.start()
    finally:
        changes.stop()


def main() -> int:
    try:
        settings = Settings.load()
    except Misconfigured as error:
        print(error.message, file=sys.stderr)
        return 2
    with only_one(settings.data) as alone:
        if not alone:
            print(f"Another runner is at work on {settings.data}.", file=sys.stderr)
            return 1
        services = build(settings)
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        errands = Errands(settings, services.database)
        nursery = Nursery(settings, errands.door)
        try:
            nursery.ready()  # it starts while we wait
            errands.start()
            services.database.wait()
            services.database.create_indexes()
            log.info(
                "runs start here: %d cores, %d at once", settings.shared_cores, settings.max_runs
            )
            run(services, nursery, host_name(settings.data))
        finally:
            nursery.stop()
            errands.stop()
            services.close()
    return 0


@contextlib.contextmanager
def only_one(data: Path) -> Iterator[bool]:
    """Whether this is the only runner of a data folder, for as long as the block lasts."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "runner.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def host_name(data: Path) -> str:
    """Who holds the leases of this data folder's runs.

    Kept in the folder: a container gets a new name with every start, and what an earlier one left
    behind is found all the same.
    """
    kept = data / "host"
    if not kept.exists():
        kept.write_text(socket.gethostname(), encoding="utf-8")
    return kept.read_text(encoding="utf-8")


def _shut_down(scheduler: BlockingScheduler) -> None:
    """From a thread: a signal may arrive while this one holds a lock of the scheduler's."""

    def work() -> None:
        while True:
            try:
                scheduler.shutdown(wait=False)
                break
            except SchedulerNotRunningError:  # the signal came before its start
                time.sleep(AFTER_START)

    threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
