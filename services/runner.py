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

from apscheduler.schedulers.blocking import BlockingScheduler

from services.bootstrap import Services, build
from services.engine.dispatcher import Dispatcher
from services.engine.nursery import Nursery
from services.engine.reconciler import Reconciler
from services.errors import DatabaseUnavailable, Misconfigured
from services.settings import Settings

log = logging.getLogger("rundesk.runner")

DISPATCH = 0.05  # s between two looks at the queue
RECONCILE = 2.0  # s
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


def run(services: Services, nursery: Nursery, host: str) -> None:
    """Tick until SIGTERM or SIGINT."""
    claiming = threading.Lock()
    wire = partial(Dispatcher, services.settings, services.database, nursery, host=host)
    dispatcher = wire(blob=services.files.blob, claiming=claiming)
    reconciler = Reconciler(services.settings, services.database, host=host, claiming=claiming)
    scheduler = BlockingScheduler(
        timezone=UTC,
        job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
    )
    for tick, seconds in ((reconciler.tick, RECONCILE), (dispatcher.tick, DISPATCH)):
        scheduler.add_job(
            Patient(tick), "interval", seconds=seconds, next_run_time=datetime.now(UTC)
        )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _shut_down(scheduler))
    scheduler.start()


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
        nursery = Nursery(settings)
        try:
            nursery.ready()  # it starts while we wait
            services.database.wait()
            services.database.create_indexes()
            log.info(
                "runs start here: %d cores, %d at once", settings.shared_cores, settings.max_runs
            )
            run(services, nursery, host_name(settings.data))
        finally:
            nursery.stop()
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
    threading.Thread(target=scheduler.shutdown, kwargs={"wait": False}).start()


if __name__ == "__main__":
    sys.exit(main())
