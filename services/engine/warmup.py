"""What the fork server does once so that its forks need not do it.

A fork pays in three ways: it repeats what was not done before, it copies each page that it writes
to, and the kernel copies the page tables for it. The steps of this module make all three cheap;
`bench.throughput` measures by how much.
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
from services.engine import confinement, execution, snakemake_internals
from services.engine.execution import Order
from services.engine.report_pipe import PipeReporter
from services.engine.settling import ExitRecord, publish_results
from services.host import wall
from services.host.processes import Identity
from services.models import Progress, Run, State
from services.settings import Settings

log = logging.getLogger("rundesk.fork_server")

#: Modules that a run imports late; here they are imported before any fork.
LAZY_MODULES = (
    *snakemake_internals.LAZY_MODULES,
    "smart_open",
    "pandas",
    "requests",
    "services.database",
    "snakemake_logger_plugin_rundesk",
)
REHEARSAL_SNAKEFILE = """\
rule all:
    input: "results/made"
rule make:
    output: "results/made"
    shell: "echo {rule} > {output}"
"""
REHEARSAL_DIGEST = "rehearsed"
THREAD_TIMEOUT_S = 5.0  # until a thread of the rehearsal must have ended
HUGE_PAGE_BYTES = 2 << 20  # where it is another size the kernel refuses
MADV_COLLAPSE = 25  # linux/mman.h, since 6.1


def warm_up() -> None:
    """Prepare this process for cheap forks. It has one thread before and after.

    Every step only saves time: one that fails is logged, and runs start without it.
    """
    for name, step in (
        ("import Snakemake", import_snakemake),
        ("find the plugins of Snakemake", snakemake_internals.load_plugins),
        ("identify the platform", platform.platform),  # Snakemake prints it; starts a process once
        ("reuse the argument parser of Snakemake", snakemake_internals.reuse_parser),
        ("try user namespaces", wall.has_user_namespaces),
        ("rehearse a run", rehearse),
        ("freeze the objects of the garbage collector", freeze_objects),
        ("move memory into huge pages", compact),
    ):
        try:
            step()
        except Exception:
            log.warning("warm-up step failed, runs start more slowly: %s", name, exc_info=True)


def import_snakemake() -> None:
    """Import Snakemake with all that it imports while it runs."""
    for name in LAZY_MODULES:
        try:
            importlib.import_module(name)
        except Exception as error:
            log.warning("warm-up: cannot import %s, runs start more slowly: %s", name, error)


def freeze_objects() -> None:
    """Exclude all objects from garbage collection: it would write to every page, and so copy it."""
    gc.collect()
    gc.freeze()


def rehearse() -> None:
    """Execute a tiny run in this process, up to its results. Raises when that fails.

    This does what Python does only the first time: compile regular expressions, fill the caches of
    abstract classes, specialize bytecode (PEP 659). That is a quarter of the time of a first tiny
    run and an eighth of the pages that it writes to.
    """
    with tempfile.TemporaryDirectory(prefix="rundesk-") as name, _process_restored():
        order = pickle.loads(pickle.dumps(_rehearsal_order(Path(name).resolve())))
        confinement.move_in(order.settings, order.target.rundir)
        try:
            with open(os.devnull, "wb") as null:  # noqa: PTH123 - a file descriptor is needed
                reporting = PipeReporter(null.fileno())
                snakemake_internals.run_command(execution.prepare(order, reporting))
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"Snakemake exited with {end.code}") from end
        record = ExitRecord(exit_code=0, ended=datetime.now(UTC))
        path = order.target.rundir.attempt(order.attempt).exit
        publish_results(order.target, record).write(path)


def _rehearsal_order(root: Path) -> Order:
    settings, now = Settings(data=root), datetime.now(UTC)
    snakefile = snapshot_folder(root, REHEARSAL_DIGEST) / "workflow/Snakefile"
    snakefile.parent.mkdir(parents=True)
    snakefile.write_text(REHEARSAL_SNAKEFILE, encoding="utf-8")
    texts = dict.fromkeys(("name", "workflow", "workflow_title", "workflow_version", "owner"), "")
    unset = dict.fromkeys(("started", "ended", "error", "cause"))
    run = Run(
        **texts,
        **unset,
        id="0" * 24,
        digest=REHEARSAL_DIGEST,
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
    attempt = order.target.rundir.attempt(order.attempt)
    attempt.root.mkdir(parents=True)
    with attempt.lock.open("wb") as lock:
        Identity.mine().write(lock.fileno())
    return order


@contextlib.contextmanager
def _process_restored() -> Iterator[None]:
    """Restore afterwards what a run changes in its process; discard its output, end its threads."""
    path, arguments = list(sys.path), sys.argv
    environment, folder = dict(os.environ), Path.cwd()
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with snakemake_internals.state_restored():
        root.handlers.clear()
        try:
            with _output_discarded():
                yield
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.path[:], sys.argv = path, arguments
            tempfile.tempdir = None
            for number, handler in signals.items():
                signal.signal(number, handler)
            root.handlers[:] = handlers
            root.setLevel(level)
            _end_threads()


@contextlib.contextmanager
def _output_discarded() -> Iterator[None]:
    """Discard what is written to both output streams."""
    null = os.open(os.devnull, os.O_WRONLY)
    saved_streams = {stream: os.dup(stream) for stream in (1, 2)}
    for stream in saved_streams:
        os.dup2(null, stream)
    os.close(null)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, copy in saved_streams.items():
            os.dup2(copy, stream)
            os.close(copy)


def _end_threads() -> None:
    """End all other threads: forking is safe only with one. Snakemake's timers last a second."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
        if thread is not threading.main_thread():
            thread.join(THREAD_TIMEOUT_S)
            if thread.is_alive():
                log.error("a thread of the rehearsal does not end: %s", thread.name)


def compact() -> None:
    """Move the memory of this process into huge pages, where the kernel supports that.

    A fork copies page tables and frees every page at its end; both cost half as much with huge
    pages. A process that writes to one still copies only 4 KiB.
    """
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        addresses, access, _, _, _, *name = line.split()
        if access == "rw-p" and name in ([], ["[heap]"]):
            first, last = (int(address, 16) for address in addresses.split("-"))
            start = -(-first // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
            if (size := last // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES - start) > 0:
                madvise(start, size, MADV_COLLAPSE)  # fails where it is not possible
