"""Keep the embedded mongod running: one keeper per folder, which restarts mongod when it ends."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from services.database.embedded.binary import find
from services.database.embedded.mongod import HOST, Mongod, MongodFailed
from services.errors import Message, Misconfigured
from services.settings import Settings

log = logging.getLogger(__name__)

LOG_CHECK_INTERVAL_S = 30.0  # between checks of the size of mongod's log
MAX_RESTART_DELAY_S = 30.0
STABLE_AFTER_S = 60.0  # a mongod that ran this long is restarted without a delay

ALREADY_KEPT = Message(
    "misconfigured",
    "Process {pid} already runs the database in {folder}; stop it first, or set RUNDESK_DATA to"
    " another folder.",
)


def folder_of(settings: Settings) -> Path:
    """Return the folder of the embedded database."""
    return settings.data / "db"


def embedded(settings: Settings) -> Mongod:
    """Return the mongod of this installation, not started. Raises Misconfigured without one."""
    folder = folder_of(settings)
    return Mongod(find(settings.mongod, folder / "lib"), folder, settings.db_port)


def keep(settings: Settings) -> None:
    """Run the embedded mongod until a signal stops this process (see `stop_on_signals`).

    Raises Misconfigured or MongodFailed when the first start fails; later starts are repeated.
    """
    with sole_keeper(folder_of(settings)):
        mongod = embedded(settings)
        begin = time.monotonic()
        mongod.start()
        version, seconds = mongod.binary.version, time.monotonic() - begin
        log.info("MongoDB %s started on %s:%d in %.1f s", version, HOST, mongod.port, seconds)
        try:
            _watch(mongod)
        finally:
            mongod.stop()
            log.info("MongoDB stopped")


def _watch(mongod: Mongod) -> None:
    started, delay = time.monotonic(), 0.0
    while True:
        code = mongod.wait(LOG_CHECK_INTERVAL_S)
        if code is None:
            mongod.rotate_log()
            continue
        if time.monotonic() - started > STABLE_AFTER_S:
            delay = 0.0
        log.warning("mongod exited with code %d; restarting in %.0f s", code, delay)
        time.sleep(delay)
        started, delay = time.monotonic(), next_delay(delay)
        try:
            mongod.start()
        except (Misconfigured, MongodFailed) as error:
            log.error("%s", error)
        else:
            log.info("MongoDB restarted in %.1f s", time.monotonic() - started)


def next_delay(delay: float) -> float:
    """Return the delay that follows `delay`: 0, 1, 2, 4 … up to MAX_RESTART_DELAY_S."""
    return min(MAX_RESTART_DELAY_S, max(1.0, delay * 2))


@contextlib.contextmanager
def sole_keeper(folder: Path) -> Iterator[None]:
    """Lock the folder. Raises Misconfigured when another keeper holds the lock."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "keeper.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Misconfigured(ALREADY_KEPT(pid=lock.read().strip(), folder=folder)) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def stop_on_signals() -> None:
    """Make the first SIGTERM or SIGINT raise SystemExit; later ones must not disturb `finally`."""

    def stop(*_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
