"""What the benches share: a database and a desk of their own, and words for what they found.

Everything lives in a temporary folder and on free ports, and is gone afterwards. All times are
seconds. The machine is never quite idle, so the ways that are compared take turns in one call, and
what counts is their ratio.
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
AT_WORK = ("rundesk-run", "snakemake")  # names of processes


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rundesk-bench-") as name:
        yield Path(name)


@contextlib.contextmanager
def mongod(place: Path) -> Iterator[Mongod]:
    """A database of its own, as the desk embeds it."""
    binary = find(os.environ.get("MONGOD", ""), place / "lib")
    server = Mongod(binary, place / "db", free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass(frozen=True)
class Desk:
    """A desk at work."""

    services: Services
    runner: int  # its process number
    database: int

    def submit(self, workflow: str) -> str:
        """The id of a new run."""
        return self.services.runs.submit(ME, RunRequest(workflow=workflow, params={})).id

    def run(self, run_id: str) -> Run:
        return self.services.runs.get(ME, run_id)

    def completed(self, run_id: str) -> Run:
        """The run, once it is over; ends the bench when it failed."""
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
    """A desk with these workflows (name → Snakefile); `settings` are variables less RUNDESK_."""
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
    """That of this process, without settings of a desk; Python keeps what it compiles."""
    ours = ("RUNDESK_", "MONGODB_URI", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processor() -> float:
    """Processor time of this process and all below it so far, in seconds, once no run is at work.

    Complete for a subreaper: what leaves its parents is its child then, and the dead are collected.
    """
    me = psutil.Process()
    while any(name_of(child) in AT_WORK for child in alive(me)):
        time.sleep(0.05)
    return sum(sum(process.cpu_times()[:4]) for process in (me, *alive(me)))


def name_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return str(process.name())
    return ""


def alive(me: psutil.Process) -> list[psutil.Process]:
    """All processes below, after the dead among the nearest were collected."""
    for child in me.children():
        if child.status() == psutil.STATUS_ZOMBIE:
            os.waitpid(child.pid, 0)
    return me.children(recursive=True)


# ---- words -------------------------------------------------------------------------------------


@contextlib.contextmanager
def reported(what: str) -> Iterator[None]:
    """Say what is measured, where, and how busy the machine was."""
    cores = len(os.sched_getaffinity(0))
    print(f"{what}\n  {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {cores} cores, ", end="")
    print(f"Python {platform.python_version()}, Snakemake {version('snakemake')}", flush=True)
    before, begun = os.getloadavg()[0], time.monotonic()
    yield
    took, after = time.monotonic() - begun, os.getloadavg()[0]
    print(f"  took {took:.0f} s; load average {before:.1f} before, {after:.1f} after", flush=True)


def taking_turns(rounds: int, ways: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Each way once per round, every other round in reverse."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            found[name].append(ways[name]())
    return found


def ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    """Median of the ratios of paired rounds."""
    return statistics.median(own / other for own, other in zip(ours, peer, strict=True))


def percentile(values: Sequence[float], rank: int) -> float:
    ordered = sorted(values)
    return ordered[round(rank / 100 * (len(ordered) - 1))]
