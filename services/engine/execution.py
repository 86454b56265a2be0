"""An attempt's Snakemake: the process just forked becomes it.

It prepares the run directory first: copying large inputs may take its time, and here nobody waits
for that. Everything that was imported before the fork is there already; nothing of the desk is
visible in its arguments or its environment but the tag of the run.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import random
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NoReturn

from services.catalogue.deployment import declared_methods
from services.catalogue.layout import snapshot_folder
from services.database import Database
from services.database.shutdown import skip_monitor_shutdown
from services.engine import causes, reporter
from services.engine.console import Console
from services.engine.settling import Attempt, Unstarted
from services.engine.snakemake_metadata import distrust
from services.engine.staging import StagingFailed, stage
from services.files.registry import content
from services.host import processes
from services.models import Run
from services.rundir import RunDir
from services.settings import Settings

PATIENCE = 2.0  # s that one write of reports may take
SWEEPING = 10.0  # s to end what an earlier attempt left behind
READY = b"ready"
CACHE = "SNAKEMAKE_OUTPUT_CACHE"  # Snakemake's name for it
WORD = 65536  # bytes of the longest word; what a pipe takes in one piece


@dataclass(frozen=True)
class Order:
    """What the runner wants executed."""

    settings: Settings
    run: Run
    attempt: int
    cores: int

    @property
    def target(self) -> Attempt:
        return Attempt(self.settings, self.run.id, self.attempt, self.run.digest)


class Preparation:
    """How far what becomes Snakemake has come: one word through a pipe. Make it before the fork."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._word = b""

    def tell(self, word: bytes) -> None:
        """In the child, once."""
        os.write(self._in, word)
        os.close(self._in)
        os.close(self._out)

    def listen(self) -> None:
        """In the parent."""
        os.close(self._in)

    def fileno(self) -> int:
        return self._out

    @property
    def over(self) -> bool:
        return bool(self._word)

    @property
    def ready(self) -> bool:
        return self._word == READY

    @property
    def failure(self) -> Unstarted | None:
        """Why it did not get ready, if it could say so."""
        with contextlib.suppress(ValueError):
            return Unstarted.model_validate_json(self._word)
        return None

    def hear(self) -> None:
        """Take the word if it is there; the end of the child is one too."""
        if not self.over:
            with contextlib.suppress(BlockingIOError):
                self._word = os.read(self._out, WORD) or b"-"


def execute(order: Order, parent: int, console: Console, preparation: Preparation) -> NoReturn:
    """Become the Snakemake of an attempt, in a process just forked. Ends with its exit code."""
    code = 1
    try:
        os.setpgid(0, 0)
        try:
            _settle_in(order, parent, console)
            words = prepare(order, partial(_sink, order))
        except Exception as error:
            traceback.print_exc()
            preparation.tell(_unstarted(error).model_dump_json().encode())
        else:
            preparation.tell(READY)
            snakemake(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _settle_in(order: Order, parent: int, console: Console) -> None:
    processes.die_with_parent(parent)
    processes.rename("snakemake")
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.getLogger().handlers.clear()  # those of the supervisor
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    console.become(1, 2)
    os.environ[CACHE] = str(order.settings.cache)
    os.environ[processes.TAG] = f"{order.run.id}:{order.attempt}"
    random.seed()


def prepare(order: Order, connect: Callable[[], reporter.Sink] | None) -> list[str]:
    """Stage the run; returns Snakemake's arguments. `connect` gives where it reports to."""
    run, rundir = order.run, order.target.rundir
    if order.attempt > 1:
        if not processes.end(lambda: processes.tagged(run.id), patience=SWEEPING):
            raise OSError("processes of an earlier attempt cannot be ended")
        # of a Snakemake that is proven dead: it could not remove them
        shutil.rmtree(rundir.root / ".snakemake" / "locks", ignore_errors=True)
        distrust(rundir.root, {rundir.inputs.name, rundir.desk.name})
    data = order.settings.data
    order.settings.cache.mkdir(mode=0o700, exist_ok=True)  # Snakemake lets everybody write to files
    snakefile = stage(run, rundir, snapshot_folder(data, run.digest), partial(content, data))
    os.chdir(rundir.root)
    place = rundir.attempt(order.attempt)
    reporter.hand_over(reporter.Reporter(place, connect, supervised=True))
    return arguments(order, snakefile)


def _unstarted(error: Exception) -> Unstarted:
    if isinstance(error, StagingFailed):
        return Unstarted(cause=causes.unstarted(error.message), hopeless=True)
    return Unstarted(cause=causes.unprepared(error))


def snakemake(words: list[str]) -> None:
    """Snakemake's command, in this process; ends with SystemExit."""
    from snakemake.cli import main  # imported long before, in the nursery

    sys.argv = ["snakemake", *words]
    main(words)


def arguments(order: Order, snakefile: Path) -> list[str]:
    """Snakemake's command line for an attempt."""
    return [
        *common(snakefile, order.target.rundir, cores=order.cores),
        "--cache",  # what rules are marked for it
        "--rerun-incomplete",
        *_deployment(order),
    ]


def common(snakefile: Path, rundir: RunDir, *, cores: int) -> list[str]:
    """What is said to Snakemake for a run and for its rehearsal alike.

    Anybody on the host may read it: parameters are in the config file. Never `--quiet progress`: it
    silences the end of jobs at the source. Profiles are the installation's way to choose cores and
    executors, which is the desk's to decide here.
    """
    return [
        *("--snakefile", str(snakefile)),
        *("--directory", str(rundir.root)),
        *("--configfile", str(rundir.config)),
        *("--cores", str(cores)),
        *("--scheduler", "greedy"),
        *("--logger", "rundesk"),
        *("--profile", "none"),
        *("--workflow-profile", "none"),
        "--nocolor",
    ]


def _deployment(order: Order) -> list[str]:
    """What installs software: as the workflow declares and the desk allows; kept for all runs."""
    settings = order.settings
    used = settings.software and declared_methods(snapshot_folder(settings.data, order.run.digest))
    methods = [method for method in settings.software if method in (used or ())]
    if not methods:
        return []
    places = [(f"--{one}-prefix", str(settings.data / "software" / one)) for one in methods]
    return ["--software-deployment-method", *methods, *chain.from_iterable(places)]


def _sink(order: Order) -> reporter.Sink:
    settings = order.settings
    database = Database(settings.uri, settings.database, patience=PATIENCE)
    return partial(database.jobs.apply, order.run.id, order.attempt)


def _leave(code: int) -> NoReturn:
    """End without waiting for Snakemake's timers; its exit functions remove its cache folder."""
    try:
        skip_monitor_shutdown()
        atexit._run_exitfuncs()  # there is no public name for it
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
