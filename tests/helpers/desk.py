"""An installation with a runner process, and access to the processes of its runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from services import bootstrap
from services.access.actors import local_actor
from services.bootstrap import Services
from services.host import processes
from services.host.launcher import program
from services.host.processes import Identity, Process
from services.models import Job, Run, RunRequest, State
from services.rundir import AttemptDir, RunDir
from services.settings import HERE, Settings
from tests.helpers.waiting import until

WORKFLOWS = Path(__file__).parents[1] / "integration" / "workflows"


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment from which `Settings.load` reads these settings."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("RUNDESK_")}
    for item in fields(settings):
        value = getattr(settings, item.name)
        if isinstance(value, tuple):
            paths = item.name in ("workflows", "run_reads", "run_writes")
            value = (":" if paths else ",").join(map(str, value))
        given[item.metadata["name"]] = str(value)
    return given


class Runner:
    """`python -m services.runner` for some settings."""

    def __init__(self, settings: Settings) -> None:
        self._environment = environment(settings)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        command = program("services.runner")
        self._process = subprocess.Popen(command, cwd=HERE, env=self._environment)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop the runner and return its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(30)


@dataclass(frozen=True)
class Desk:
    """A running installation with shortcuts for tests."""

    settings: Settings
    services: Services
    runner: Runner

    def submit(self, workflow: str, **params: Any) -> str:
        """Submit a run and return its id."""
        request = RunRequest(workflow=workflow, params=params)
        return self.services.runs.submit(local_actor(), request).id

    def run(self, run_id: str) -> Run:
        return self.services.runs.get(local_actor(), run_id)

    def jobs(self, run_id: str) -> list[Job]:
        return list(self.services.runs.jobs(local_actor(), run_id))

    def results(self, run_id: str) -> list[str]:
        return [result.path for result in self.services.results.list(local_actor(), run_id)]

    def finished(self, run_id: str) -> Run:
        """Wait until a run has finished, and return it."""
        return until(lambda: run if (run := self.run(run_id)).state.final else None)

    def reaches(self, run_id: str, state: State) -> Run:
        """Wait until a run is in `state`, and return it."""
        return until(lambda: run if (run := self.run(run_id)).state is state else None)

    def folder(self, run_id: str) -> Path:
        return RunDir.of(self.settings.data, run_id).root

    def attempt(self, run_id: str, number: int = 1) -> AttemptDir:
        return RunDir.of(self.settings.data, run_id).attempt(number)

    def supervisor(self, run_id: str, number: int = 1) -> Process:
        """Wait until an attempt has a supervisor, and return it."""
        supervisor = until(lambda: identity(self.attempt(run_id, number)))
        return Process(supervisor.pid, supervisor.start)

    def snakemake(self, run_id: str, number: int = 1) -> Process:
        """Return the Snakemake process of an attempt, the only other holder of its lock."""
        supervisor = self.supervisor(run_id, number)
        lock = self.attempt(run_id, number).lock
        return until(lambda: [p for p in processes.holding(lock) if p != supervisor])[0]


def identity(attempt: AttemptDir) -> Identity | None:
    """Return the supervisor of an attempt; None when it has none."""
    if not attempt.lock.exists():
        return None
    file = os.open(attempt.lock, os.O_RDONLY)
    try:
        return Identity.read(file)
    finally:
        os.close(file)


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Desk]:
    """Yield a running installation with the workflows of the tests; stop all its processes."""
    settings = replace(settings, workflows=(WORKFLOWS,), cancel_grace=1.0)
    services = bootstrap.build(settings, patience=20)
    services.database.create_indexes()
    desk = Desk(settings, services, Runner(settings))
    desk.runner.start()
    try:
        yield desk
    finally:
        desk.runner.stop(signal.SIGKILL)
        services.close()
        end_runs(settings)


def end_runs(settings: Settings) -> None:
    """Kill all processes of runs that are still alive."""
    for folder in (settings.data / "runs").glob("*"):
        for lock in RunDir(folder).internal.glob("attempt-*/lock"):
            processes.end(lambda lock=lock: processes.holding(lock), patience=10)
        processes.end(lambda folder=folder: processes.tagged(folder.name), patience=10)
