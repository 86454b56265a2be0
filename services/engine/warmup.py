"""What is done once in the nursery, so that every fork finds it done.

A fork pays in three ways for what it comes from: it does again what was not done there, it copies
each page that it writes to, and the kernel copies the page tables for it. Here is what makes all
three cheap; `bench.throughput` tells what they come to.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import logging
import os
import pickle
import platform
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from services.catalogue.layout import snapshot_folder
from services.engine import execution
from services.engine.execution import CACHE, Order
from services.engine.settling import Ended, listed
from services.host.processes import Identity
from services.models import Progress, Run, State
from services.settings import Settings

log = logging.getLogger("rundesk.nursery")

#: Snakemake imports these while it runs; here they are imported before any fork.
LAZY = (
    "snakemake.cli",
    "snakemake.api",
    "snakemake.caching.local",
    "snakemake.workflow",
    "snakemake.profiles",
    "snakemake.storage",
    "snakemake.executors.local",
    "snakemake.scheduling.job_scheduler",
    "snakemake.persistence.file",
    "snakemake.report.rulegraph_spec",
    "snakemake.script",
    "snakemake.linting.rules",
    "smart_open",
    "pandas",
    "requests",
    "services.database",
    "snakemake_logger_plugin_rundesk",
)
REHEARSED = """\
rule all:
    input: "results/made"
rule make:
    output: "results/made"
    shell: "echo {rule} > {output}"
"""
DIGEST = "rehearsed"
PATIENCE = 5.0  # s for a thread of the rehearsal to end
HUGE_PAGE = 2 << 20  # bytes; where it is another size the kernel refuses
MADV_COLLAPSE = 25  # linux/mman.h, since 6.1


def warm_up() -> None:
    """Make this process one whose forks are cheap. It has one thread before and after."""
    import_snakemake()
    make_parser()
    try:
        rehearse()
    except Exception:  # it is a help only
        log.exception("the rehearsal failed: runs start slower")
    gc.collect()
    gc.freeze()  # a collection would write to every object, that is, copy every page
    compact()


def import_snakemake() -> None:
    """Import it with all that it imports while it runs, and have it find its plugins."""
    for name in LAZY:
        try:
            importlib.import_module(name)
        except ImportError as error:
            log.info("%s is not here: %s", name, error)
    from snakemake.cli import get_argument_parser

    get_argument_parser()  # it keeps the plugins that it finds for the life of the process
    platform.platform()  # starts a process, once; Snakemake prints it at each start


def make_parser() -> None:
    """Have Snakemake make its parser of arguments once, not at each start: a tenth of all of it."""
    from snakemake import cli

    parser = cli.get_argument_parser()
    cli.get_argument_parser = lambda profiles=None: parser  # noqa: ARG005 - runs have no profiles


def rehearse() -> None:
    """Execute a tiny run in this very process, up to its results. Raises when that fails.

    What Python does for the first time only is done then: it compiles regular expressions, asks
    abstract classes for their kind, specialises bytecode (PEP 659). That is a quarter of what a
    first tiny run takes, and writes to an eighth of the pages.
    """
    with tempfile.TemporaryDirectory(prefix="rundesk-") as name, _undone():
        order = pickle.loads(pickle.dumps(_order(Path(name).resolve())))
        os.environ[CACHE] = str(order.settings.cache)
        try:
            execution.snakemake(execution.prepare(order, None))
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"Snakemake ended with {end.code}") from end
        place = order.target.rundir.attempt(order.attempt)
        listed(order.target, Ended(exit_code=0, ended=datetime.now(UTC))).write(place.exit)


def _order(root: Path) -> Order:
    settings, now = Settings(data=root), datetime.now(UTC)
    snakefile = snapshot_folder(root, DIGEST) / "workflow/Snakefile"
    snakefile.parent.mkdir(parents=True)
    snakefile.write_text(REHEARSED, encoding="utf-8")
    words = dict.fromkeys(("name", "workflow", "workflow_title", "workflow_version", "owner"), "")
    unset = dict.fromkeys(("started", "ended", "error", "cause"))
    run = Run(
        **words,
        **unset,
        id="0" * 24,
        digest=DIGEST,
        tags=[],
        params={},
        inputs=[],
        cores=1,
        state=State.INITIALIZING,
        progress=Progress(),
        created=now,
        attempts=[],
        history=[],
    )
    order = Order(settings, run, attempt=1, cores=1)
    place = order.target.rundir.attempt(order.attempt)
    place.root.mkdir(parents=True)
    with place.lock.open("wb") as lock:
        Identity.mine().write(lock.fileno())
    return order


@contextlib.contextmanager
def _undone() -> Iterator[None]:
    """Undo what a run changes in its process; its streams lead nowhere, its threads end.

    Snakemake executes a Snakefile in the names of its own module and keeps a handler for SIGTERM.
    """
    from snakemake import workflow
    from snakemake.logging import logger

    names, path, words = dict(vars(workflow)), list(sys.path), sys.argv
    environment, here = dict(os.environ), Path.cwd()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    loggers = [(one, one.handlers[:], one.level) for one in (logging.getLogger(), logger)]
    for one, _, _ in loggers:
        one.handlers.clear()
    try:
        with _silence():
            yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:], sys.argv = path, words
        vars(workflow).clear()
        vars(workflow).update(names)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for one, kept_handlers, level in loggers:
            one.handlers[:] = kept_handlers
            one.setLevel(level)
        _end_threads()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Both streams lead nowhere."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    kept_streams = {stream: os.dup(stream) for stream in (1, 2)}
    for stream in kept_streams:
        os.dup2(nothing, stream)
    os.close(nothing)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, copy in kept_streams.items():
            os.dup2(copy, stream)
            os.close(copy)


def _end_threads() -> None:
    """Forking is safe with one thread only. Snakemake's timers would take a second to end."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
        if thread is not threading.main_thread():
            thread.join(PATIENCE)
            if thread.is_alive():
                log.error("a thread of the rehearsal does not end: %s", thread.name)


def compact() -> None:
    """Put the memory of this process into huge pages, where there are any and the kernel can.

    A fork copies page tables, and at its end gives back each page: of huge pages both cost half as
    much. Whoever writes to one copies 4 KiB all the same.
    """
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        addresses, access, _, _, _, *name = line.split()
        if access == "rw-p" and name in ([], ["[heap]"]):
            first, last = (int(address, 16) for address in addresses.split("-"))
            start = -(-first // HUGE_PAGE) * HUGE_PAGE
            if (size := last // HUGE_PAGE * HUGE_PAGE - start) > 0:
                madvise(start, size, MADV_COLLAPSE)  # as far as it is possible
