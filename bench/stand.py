"""Helpers of the benchmarks: a database and an installation of their own, and reports.

Everything is in a temporary folder and on free ports, and is removed at the end. All times are
seconds. The machine is never fully idle, so the measurements to compare take turns in one call,
and their ratio is the result.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from services import bootstrap
from services.access.actors import local_actor
from services.bootstrap import Services
from services.database.embedded.binary import find
from services.database.embedded.mongod import Mongod
from services.host.launcher import program
from services.models import Run, RunRequest, State
from services.settings import HERE, Settings

ME = local_actor()
RUNNER = tuple(program("services.runner"))
RUN_PROCESSES = ("rundesk-run", "snakemake")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rundesk-bench-") as name:
        yield Path(name)


@contextlib.contextmanager
def mongod(place: Path) -> Iterator[Mongod]:
    """Yield a database of its own, embedded as in an installation."""
    binary = find(os.environ.get("MONGOD", ""), place / "lib")
    server = Mongod(binary, place / "db", free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass(frozen=True)
class Desk:
    """A running installation."""

    services: Services
    runner: int  # PID
    database: int  # PID

    def submit(self, workflow: str) -> str:
        """Submit a run and return its id."""
        return self.services.runs.submit(ME, RunRequest(workflow=workflow, params={})).id

    def run(self, run_id: str) -> Run:
        return self.services.runs.get(ME, run_id)

    def completed(self, run_id: str) -> Run:
        """Wait until a run has completed. Raises SystemExit when it failed."""
        while not (run := self.run(run_id)).state.final:
            time.sleep(0.05)
        if run.state is not State.COMPLETE:
            raise SystemExit(f"a run did not complete: {run.error}")
        return run


@contextlib.contextmanager
def desk(
    place: Path,
    workflows: Mapping[str, str],
    *,
    runner: Sequence[str] = RUNNER,
    **settings: str,
) -> Iterator[Desk]:
    """Yield an installation with workflows (name → Snakefile) and settings (without RUNDESK_)."""
    for name, text in workflows.items():
        snakefile = place / "workflows" / name / "workflow/Snakefile"
        snakefile.parent.mkdir(parents=True)
        snakefile.write_text(text)
    with mongod(place) as server:
        given = {
            "RUNDESK_DATA": str(place / "data"),
            "RUNDESK_DB_PORT": str(server.port),
            "RUNDESK_WORKFLOWS": str(place / "workflows"),
            "RUNDESK_LOG_LEVEL": "WARNING",
            **{f"RUNDESK_{name.upper()}": value for name, value in settings.items()},
        }
        services = bootstrap.build(Settings.load(given))
        process = subprocess.Popen(runner, cwd=HERE, env={**environment(), **given})
        try:
            yield Desk(services, process.pid, server.pid or 0)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            services.close()


def environment() -> dict[str, str]:
    """Return the environment of this process without settings, and with Python's bytecode cache."""
    excluded = ("RUNDESK_", "MONGODB_URI", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(excluded)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processor() -> float:
    """Wait until no run is running; return the processor time of this process and all below it.

    In seconds. Complete for a subreaper, which becomes the parent of orphans and reaps them.
    """
    me = psutil.Process()
    while any(name_of(child) in RUN_PROCESSES for child in alive(me)):
        time.sleep(0.05)
    return sum(sum(process.cpu_times()[:4]) for process in (me, *alive(me)))


def name_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return str(process.name())
    return ""


def alive(me: psutil.Process) -> list[psutil.Process]:
    """Reap the dead children, and return all processes below."""
    for child in me.children():
        if child.status() == psutil.STATUS_ZOMBIE:
            os.waitpid(child.pid, 0)
    return me.children(recursive=True)


# ---- reports -----------------------------------------------------------------------------------


@contextlib.contextmanager
def reported(what: str) -> Iterator[None]:
    """Print what is measured, on which machine, and its load."""
    cores = len(os.sched_getaffinity(0))
    print(f"{what}\n  {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {cores} cores, ", end="")
    print(f"Python {platform.python_version()}, Snakemake {version('snakemake')}", flush=True)
    before, begun = os.getloadavg()[0], time.monotonic()
    yield
    took, after = time.monotonic() - begun, os.getloadavg()[0]
    print(f"  took {took:.0f} s; load average {before:.1f} before, {after:.1f} after", flush=True)


def taking_turns(rounds: int, ways: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Each way once per round, every other round in reverse."""
    results: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            results[name].append(ways[name]())
    return results


def ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    """Return the median of the ratios of paired rounds."""
    return statistics.median(own / other for own, other in zip(ours, peer, strict=True))


def percentile(values: Sequence[float], rank: int) -> float:
    ordered = sorted(values)
    return ordered[round(rank / 100 * (len(ordered) - 1))]
