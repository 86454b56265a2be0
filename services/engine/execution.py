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
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NoReturn

from services.catalogue import secrets
from services.catalogue.layout import snapshot_folder
from services.engine import causes, confinement, reporter, shared_outputs, snakemake_internals
from services.engine.arguments import workflow_arguments
from services.engine.console import Console
from services.engine.report_pipe import ReportPipe
from services.engine.settling import AttemptTarget, PreparationFailure
from services.engine.snakemake_metadata import mark_unrecorded_outputs
from services.engine.staging import StagingFailed, stage
from services.files.registry import content
from services.host import processes
from services.models import Run
from services.rundir import RunDir
from services.settings import Settings

LEFTOVERS_TIMEOUT_S = 10.0  # to end the processes that an earlier attempt left behind
READY = b"ready"
NO_MESSAGE = b"-"  # stands for the message of a process that ended without sending one
MAX_MESSAGE_BYTES = 65536  # what a pipe takes in one piece
MAX_EXIT_CHARACTERS = 20_000  # of the message of `sys.exit` in a Snakefile


@dataclass(frozen=True)
class Order:
    """An attempt to execute, as the runner sends it to the fork server."""

    settings: Settings
    run: Run
    attempt: int
    cores: int
    publishes_only: bool = False  # Snakemake has ended well; only its results are not published

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


def execute(
    order: Order, parent: int, console: Console, reports: ReportPipe, preparation: Preparation
) -> NoReturn:
    """Become the Snakemake of an attempt, in a process just forked; end with its exit code."""
    code = 1
    reporting = reports.sender()
    try:
        os.setpgid(0, 0)
        try:
            _set_up_process(order, parent, console)
            _confine(order)
            command = prepare(order, reporting)
        except Exception as error:
            traceback.print_exc()
            preparation.send(_preparation_failure(error).model_dump_json().encode())
        else:
            preparation.send(READY)
            _share_environments(order)
            snakemake_internals.run_command(command)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if not isinstance(end.code, int | None):
            _report_exit(reporting, str(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        _exit(code)


def _share_environments(order: Order) -> None:
    """Have Snakemake create the conda environments that runs share one by one."""
    settings = order.settings
    workflow = snapshot_folder(settings.data, order.run.digest)
    if "conda" in confinement.methods_of(settings, workflow):
        try:
            snakemake_internals.create_environments_one_by_one(
                settings.data / "software" / "conda" / ".locks"
            )
        except snakemake_internals.SnakemakeChanged:  # two first runs may disturb each other
            traceback.print_exc()


def _report_exit(reporting: reporter.Reporting, words: str) -> None:
    """Report why a Snakefile called `sys.exit` with a message, which Python prints to stderr."""
    print(words, file=sys.stderr)
    text = words[:MAX_EXIT_CHARACTERS]
    reporting.write_error({"type": "error", "exception": "SystemExit", "text": text})


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
    os.environ[processes.TAG] = f"{order.run.id}:{order.attempt}"
    random.seed()


def _confine(order: Order) -> None:
    """Confine this process to the run, before it touches what earlier jobs may have left there.

    Until then it may end processes. Raises OSError.
    """
    run, rundir, settings = order.run, order.target.rundir, order.settings
    if order.attempt > 1 and not processes.end(
        lambda: processes.tagged(run.id), patience=LEFTOVERS_TIMEOUT_S
    ):
        raise OSError("processes of an earlier attempt cannot be ended")
    workflow = snapshot_folder(settings.data, run.digest)
    contents = [content(settings.data, entry.sha256) for entry in run.inputs]
    if confinement.shares_outputs(workflow):
        settings.cache.mkdir(mode=0o700, exist_ok=True)  # Snakemake makes its files writable
    for method in confinement.methods_of(settings, workflow):
        (settings.data / "software" / method).mkdir(parents=True, exist_ok=True)
    confinement.enter(settings, confinement.wall_of(settings, rundir, workflow, contents), rundir)


def prepare(order: Order, reporting: reporter.Reporting) -> list[str]:
    """Prepare the run directory; return Snakemake's arguments.

    The logger plugin reports to `reporting`. Raises StagingFailed and OSError.
    """
    run, rundir = order.run, order.target.rundir
    if order.attempt > 1:
        snakemake_internals.remove_locks(rundir.root)  # their Snakemake is proven dead
        own = (
            rundir.inputs,
            rundir.home,
            rundir.scratch,
            rundir.cache,
            rundir.profile,
            rundir.internal,
        )
        mark_unrecorded_outputs(rundir.root, {path.name for path in own})
    data = order.settings.data
    workflow = snapshot_folder(data, run.digest)
    stage(run, rundir, workflow, partial(content, data))
    if confinement.shares_outputs(workflow):
        shared_outputs.show(order.settings.cache, rundir.cache)
    else:
        rundir.cache.mkdir(exist_ok=True)  # `--cache` requires one
    os.chdir(rundir.root)
    reporter.hand_over(reporting)
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
    methods = confinement.methods_of(settings, snapshot_folder(settings.data, order.run.digest))
    if not methods:
        return []
    software = settings.data / "software"
    prefixes = [(f"--{method}-prefix", str(software / method)) for method in methods]
    return ["--software-deployment-method", *methods, *chain.from_iterable(prefixes)]


def _exit(code: int) -> NoReturn:
    """End without waiting for Snakemake's timers. Its exit functions remove its cache folder."""
    try:
        atexit._run_exitfuncs()  # it has no public name
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
