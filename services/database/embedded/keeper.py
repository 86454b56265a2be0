"""Keeps the embedded mongod: one keeper per folder, and a mongod that dies is started again."""

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
from services.errors import Misconfigured
from services.settings import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0  # between looks at the size of mongod's log
LONGEST_PAUSE = 30.0  # s, between two starts
STEADY_SECONDS = 60.0  # a mongod that lived so long is started again at once when it dies


def folder_of(settings: Settings) -> Path:
    return settings.data / "db"


def embedded(settings: Settings) -> Mongod:
    """The mongod of this desk, not started. Raises Misconfigured when none runs on this host."""
    folder = folder_of(settings)
    return Mongod(find(settings.mongod, folder / "lib"), folder, settings.db_port)


def keep(settings: Settings) -> None:
    """Run the embedded mongod until this process is told to stop (see `stop_on_signals`).

    Raises Misconfigured or MongodFailed when the first start fails; from then on it never gives up.
    """
    with sole_keeper(folder_of(settings)):
        mongod = embedded(settings)
        began = time.monotonic()
        mongod.start()
        took = time.monotonic() - began
        log.info("MongoDB %s on %s:%d after %.1f s", mongod.binary.version, HOST, mongod.port, took)
        try:
            _watch(mongod)
        finally:
            mongod.stop()
            log.info("MongoDB stopped")


def _watch(mongod: Mongod) -> None:
    began, pause = time.monotonic(), 0.0
    while True:
        code = mongod.wait(LOOK_SECONDS)
        if code is None:
            mongod.rotate_log()
            continue
        if time.monotonic() - began > STEADY_SECONDS:
            pause = 0.0
        log.warning("mongod ended with code %d; next start in %.0f s", code, pause)
        time.sleep(pause)
        began, pause = time.monotonic(), next_pause(pause)
        try:
            mongod.start()
        except (Misconfigured, MongodFailed) as error:
            log.error("%s", error)
        else:
            log.info("MongoDB is back after %.1f s", time.monotonic() - began)


def next_pause(pause: float) -> float:
    """Seconds before the start after the next: 0, 1, 2, 4 … up to LONGEST_PAUSE."""
    return min(LONGEST_PAUSE, max(1.0, pause * 2))


@contextlib.contextmanager
def sole_keeper(folder: Path) -> Iterator[None]:
    """Hold the folder. Raises Misconfigured when another keeper does."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "keeper.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Misconfigured(
                f"Process {lock.read().strip()} already keeps the database in {folder}:"
                " stop it first, or set RUNDESK_DATA to another folder."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def stop_on_signals() -> None:
    """Make SIGTERM and SIGINT raise SystemExit, once, so that `finally` runs undisturbed."""

    def stop(*_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
