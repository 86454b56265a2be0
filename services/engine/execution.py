"""An attempt's Snakemake: the process just forked becomes it.

Everything that was imported before the fork is there already; nothing of the desk is visible in its
arguments or its environment but the tag of the run.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from services.database import Database
from services.database.leaving import leave_quickly
from services.engine import processes, reporter
from services.engine.settling import Attempt
from services.settings import Settings

PATIENCE = 2.0  # s that one write of reports may take


@dataclass(frozen=True)
class Order:
    """What the runner wants executed."""

    settings: Settings
    run_id: str
    attempt: int
    snakefile: Path
    cores: int

    @property
    def target(self) -> Attempt:
        return Attempt(self.settings, self.run_id, self.attempt)


def execute(order: Order, parent: int) -> NoReturn:
    """Become the Snakemake of an attempt, in a process just forked. Ends with its exit code."""
    code = 1
    try:
        os.setpgid(0, 0)
        _prepare(order, parent)
        _main(order)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _prepare(order: Order, parent: int) -> None:
    processes.die_with_parent(parent)
    processes.rename("snakemake")
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.getLogger().handlers.clear()  # those of the nursery
    place = order.target.rundir.attempt(order.attempt)
    console = os.open(place.console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, stream in ((nothing, 0), (console, 1), (console, 2)):
        os.dup2(source, stream)
    os.close(console)
    os.close(nothing)
    os.environ[processes.TAG] = f"{order.run_id}:{order.attempt}"
    os.chdir(order.target.rundir.root)
    random.seed()


def _main(order: Order) -> None:
    from snakemake.cli import main  # imported long before, in the nursery

    place = order.target.rundir.attempt(order.attempt)
    reporter.hand_over(reporter.Reporter(place, partial(_sink, order)))
    words = arguments(order)
    sys.argv = ["snakemake", *words]
    main(words)


def arguments(order: Order) -> list[str]:
    """Snakemake's command line. Anybody on the host may read it: parameters are in the config file.

    Never `--quiet progress`: it silences the end of jobs at the source. Profiles are the
    installation's way to choose cores and executors, which is the desk's to decide here.
    """
    rundir = order.target.rundir
    return [
        *("--snakefile", str(order.snakefile)),
        *("--directory", str(rundir.root)),
        *("--configfile", str(rundir.config)),
        *("--cores", str(order.cores)),
        *("--scheduler", "greedy"),
        *("--logger", "rundesk"),
        *("--profile", "none"),
        *("--workflow-profile", "none"),
        "--rerun-incomplete",
        "--nocolor",
    ]


def _sink(order: Order) -> Callable[..., None]:
    settings = order.settings
    database = Database(settings.uri, settings.database, patience=PATIENCE)
    return partial(database.jobs.apply, order.run_id, order.attempt)


def _leave(code: int) -> NoReturn:
    """End without waiting for Snakemake's timers; its exit functions remove its cache folder."""
    try:
        leave_quickly()
        atexit._run_exitfuncs()  # there is no public name for it
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
