"""The Snakemake of an attempt: a process just forked prepares the run directory and becomes it.

Preparing happens here because copying large inputs takes time and no other process waits for it.
Everything was imported before the fork. Apart from the tag of the run, the arguments and the
environment of the process contain nothing about Rundesk.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NoReturn

from services.catalogue import secrets
from services.catalogue.deployment import declared_methods
from services.catalogue.layout import snapshot_folder
from services.database import Database
from services.database.shutdown import skip_monitor_shutdown
from services.engine import causes, reporter, snakemake_internals
from services.engine.arguments import workflow_arguments
from services.engine.console import Console
from services.engine.settling import AttemptTarget, PreparationFailure
from services.engine.snakemake_metadata import mark_unrecorded_outputs
from services.engine.staging import StagingFailed, stage
from services.files.registry import content
from services.host import processes
from services.models import Run
from services.rundir import RunDir
from services.settings import Settings

REPORT_TIMEOUT_S = 2.0  # for one write of reports
LEFTOVERS_TIMEOUT_S = 10.0  # to end the processes that an earlier attempt left behind
READY = b"ready"
NO_MESSAGE = b"-"  # stands for the message of a process that ended without sending one
CACHE = "SNAKEMAKE_OUTPUT_CACHE"  # the environment variable that Snakemake reads
MAX_MESSAGE_BYTES = 65536  # what a pipe takes in one piece
MAX_EXIT_CHARACTERS = 20_000  # of the message of `sys.exit` in a Snakefile


@dataclass(frozen=True)
class Order:
    """An attempt to execute, as the runner sends it to the fork server."""

    settings: Settings
    run: Run
    attempt: int
    cores: int

    @property
    def target(self) -> AttemptTarget:
        return AttemptTarget(self.settings, self.run.id, self.attempt, self.run.digest)


class Preparation:
    """Informs the supervisor whether its child is ready to become Snakemake.

    The child sends one message through a pipe. Create it before the fork.
    """

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._message = b""

    def send(self, message: bytes) -> None:
        """Send the result; called once, in the child."""
        os.write(self._in, message)
        os.close(self._in)
        os.close(self._out)

    def expect(self) -> None:
        """Wait for a message of the child only; called once, in the parent."""
        os.close(self._in)

    def fileno(self) -> int:
        return self._out

    @property
    def finished(self) -> bool:
        """Whether the message has arrived, or the child has ended without one."""
        return bool(self._message)

    @property
    def ready(self) -> bool:
        return self._message == READY

    @property
    def failure(self) -> PreparationFailure | None:
        """Why the run could not be prepared, if the child sent a reason."""
        with contextlib.suppress(ValueError):
            return PreparationFailure.model_validate_json(self._message)
        return None

    def receive(self) -> bool:
        """Read the message if it is there; return whether it has arrived just now."""
        if self.finished:
            return False
        with contextlib.suppress(BlockingIOError):
            self._message = os.read(self._out, MAX_MESSAGE_BYTES) or NO_MESSAGE
        return self.finished


def execute(order: Order, parent: int, console: Console, preparation: Preparation) -> NoReturn:
    """Become the Snakemake of an attempt, in a process just forked; end with its exit code."""
    code = 1
    try:
        os.setpgid(0, 0)
        try:
            _set_up_process(order, parent, console)
            command = prepare(order, partial(_connect, order))
        except Exception as error:
            traceback.print_exc()
            preparation.send(_preparation_failure(error).model_dump_json().encode())
        else:
            preparation.send(READY)
            snakemake_internals.run_command(command)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if not isinstance(end.code, int | None):
            _report_exit(order, str(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        _exit(code)


def _report_exit(order: Order, words: str) -> None:
    """Record why a Snakefile called `sys.exit` with a message, which Python prints to stderr."""
    print(words, file=sys.stderr)
    record = {"type": "error", "exception": "SystemExit", "text": words[:MAX_EXIT_CHARACTERS]}
    errors = order.target.rundir.attempt(order.attempt).errors
    with contextlib.suppress(OSError):  # the disk is full; the message is on the console
        reporter.append(errors, [record])


def _set_up_process(order: Order, parent: int, console: Console) -> None:
    processes.die_with_parent(parent)
    processes.rename("snakemake")
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.getLogger().handlers.clear()  # those of the supervisor
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    console.redirect(1, 2)
    os.environ.update(secrets.variables(order.settings.data, order.run.workflow))
    os.environ[CACHE] = str(order.settings.cache)
    os.environ[processes.TAG] = f"{order.run.id}:{order.attempt}"
    random.seed()


def prepare(order: Order, connect: Callable[[], reporter.Sink] | None) -> list[str]:
    """Prepare the run directory and the reporter; return Snakemake's arguments.

    `connect` returns the sink of the reports. Raises StagingFailed and OSError.
    """
    run, rundir = order.run, order.target.rundir
    if order.attempt > 1:
        if not processes.end(lambda: processes.tagged(run.id), patience=LEFTOVERS_TIMEOUT_S):
            raise OSError("processes of an earlier attempt cannot be ended")
        snakemake_internals.remove_locks(rundir.root)  # their Snakemake is proven dead
        mark_unrecorded_outputs(rundir.root, {rundir.inputs.name, rundir.internal.name})
    data = order.settings.data
    order.settings.cache.mkdir(mode=0o700, exist_ok=True)  # its files are world-writable
    stage(run, rundir, snapshot_folder(data, run.digest), partial(content, data))
    os.chdir(rundir.root)
    attempt = rundir.attempt(order.attempt)
    reporter.hand_over(reporter.Reporter(attempt, connect, supervised=True))
    return arguments(order)


def _preparation_failure(error: Exception) -> PreparationFailure:
    if isinstance(error, StagingFailed):
        return PreparationFailure(cause=causes.staging_failure(error.text), hopeless=True)
    return PreparationFailure(cause=causes.preparation_failure(error))


def arguments(order: Order) -> list[str]:
    """Return the arguments of Snakemake for an attempt. Raises Broken."""
    workflow = snapshot_folder(order.settings.data, order.run.digest)
    return [
        *common_arguments(workflow, order.target.rundir, cores=order.cores),
        "--cache",  # for the rules that declare it
        "--rerun-incomplete",
        *_deployment(order),
    ]


def common_arguments(workflow: Path, rundir: RunDir, *, cores: int) -> list[str]:
    """Return the arguments of Snakemake that runs and previews have in common.

    Never add `--quiet progress`: Snakemake then does not report the end of jobs. Profiles of the
    account are disabled because they would choose cores and executors, which Rundesk does here.
    Raises Broken.
    """
    return [
        *workflow_arguments(workflow, rundir),
        *("--cores", str(cores)),
        *("--scheduler", "greedy"),
        *("--logger", "rundesk"),
        "--nocolor",
    ]


def _deployment(order: Order) -> list[str]:
    """Return the arguments that have Snakemake install software, which all runs share.

    The methods are those that the workflow declares and the settings allow.
    """
    settings = order.settings
    used = settings.software and declared_methods(snapshot_folder(settings.data, order.run.digest))
    methods = [method for method in settings.software if method in (used or ())]
    if not methods:
        return []
    software = settings.data / "software"
    prefixes = [(f"--{method}-prefix", str(software / method)) for method in methods]
    return ["--software-deployment-method", *methods, *chain.from_iterable(prefixes)]


def _connect(order: Order) -> reporter.Sink:
    settings = order.settings
    database = Database(settings.uri, settings.database, patience=REPORT_TIMEOUT_S)
    return partial(database.jobs.apply, order.run.id, order.attempt)


def _exit(code: int) -> NoReturn:
    """End without waiting for Snakemake's timers. Its exit functions remove its cache folder."""
    try:
        skip_monitor_shutdown()
        atexit._run_exitfuncs()  # it has no public name
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
