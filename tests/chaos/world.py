"""The installation under test: its processes, their restarts, and the present faults."""

from __future__ import annotations

import dataclasses
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from services import bootstrap
from services.errors import DatabaseUnavailable
from services.host.tether import tethered
from services.settings import HERE, Settings
from tests.chaos.disk import Disk
from tests.chaos.sight import Row, row, table
from tests.chaos.violations import Violations
from tests.helpers.desk import end_runs, environment
from tests.helpers.processes import COMMANDS
from tests.helpers.waiting import free_port, until

WORKFLOWS = Path(__file__).parent / "workflows"
NAMES = ("db", "api", "runner")
START_TIME_S = 3.0  # until a started process is considered available
END_TIMEOUT_S = 40.0  # for a process after SIGTERM
TEND_INTERVAL_S = 0.1


@dataclass
class Service:
    """One process of the Procfile."""

    process: subprocess.Popen[bytes]
    started: float
    again_at: float | None = None  # when it is restarted


@dataclass
class World:
    """Starts the processes, restarts them after they died, and undoes faults after a while.

    `able` is whether the installation is able to work: only then is time counted against limits.
    """

    folder: Path
    disk: Disk
    violations: Violations
    random: random.Random
    settings: Settings
    services: bootstrap.Services  # with the timeouts of portal and API
    patient: bootstrap.Services  # for the checks after the faults
    troubles: set[str] = field(default_factory=set)  # faults at present
    frozen: list[str] = field(default_factory=list)  # runs with a stopped process
    running: dict[str, Service] = field(default_factory=dict)
    starts: int = 0
    full: list[tuple[float, float]] = field(default_factory=list)  # when the disk was full; epoch

    def __post_init__(self) -> None:
        self._undo: list[tuple[float, Callable[[], None]]] = []
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._held = False  # no process is restarted: a restart of all is in progress
        # Tethered processes end with the thread that starts them, so one thread starts them all.
        self._thread = threading.Thread(target=self._tend, name="world", daemon=True)

    # ---- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()
        until(lambda: len(self.running) == len(NAMES))
        self.services.database.wait(60)
        self.services.database.create_indexes()
        until(lambda: (self.settings.data / "host").exists())
        until(self.is_healthy)

    def end(self) -> None:
        """Undo all faults and end all processes."""
        self.undo_faults()
        self._held = True
        for name in ("runner", "api", "db"):
            if name in self.running:
                self.terminate(name)
        self._stopping.set()
        self._thread.join(10)
        end_runs(self.settings)
        self.services.close()
        self.patient.close()

    def undo_faults(self) -> None:
        """Undo all faults that are still present."""
        with self._lock:
            due, self._undo = [undo for _, undo in self._undo], []
        for undo in due:
            undo()

    def later(self, seconds: float, undo: Callable[[], None]) -> None:
        with self._lock:
            self._undo.append((time.monotonic() + seconds, undo))

    def is_healthy(self) -> bool:
        """Return whether there is no fault and everything responds."""
        try:
            self.services.database.ping()
        except DatabaseUnavailable:
            return False
        return self.able and self._api_answers()

    def _api_answers(self) -> bool:
        """Return whether the present API responds; workers of a killed one may still do so."""
        service = self.running.get("api")
        if service is None or time.monotonic() - service.started <= START_TIME_S:
            return False
        try:
            with urlopen(f"{self.settings.public_api_url}/healthz", timeout=5):
                return service.process.poll() is None
        except OSError:
            return False

    @property
    def able(self) -> bool:
        now = time.monotonic()
        with self._lock:
            return not self.troubles and all(
                service.process.poll() is None and now - service.started > START_TIME_S
                for name, service in self.running.items()
                if name != "api"
            )

    # ---- processes ------------------------------------------------------------------------------

    def find_process(self, name: str) -> Row | None:
        """Return a process: db, api, runner, or a child of one: fork server, mongod, worker."""
        above = {"fork server": "runner", "mongod": "db", "worker": "api"}.get(name)
        service = self.running.get(above or name)
        if service is None or service.process.poll() is not None:
            return None
        if above is None:
            return row(service.process.pid)
        children = [r for r in table().values() if r.parent == service.process.pid]
        return self.random.choice(children) if children else None

    def restart(self) -> None:
        """Send SIGTERM to each process; restart all when all have ended."""
        self._held = True
        self.troubles.add("restart")
        try:
            for name in ("api", "runner", "db"):
                self.terminate(name)
        finally:
            self._held = False
            self.troubles.discard("restart")

    def terminate(self, name: str) -> None:
        """Send SIGTERM to a process, which must end within END_TIMEOUT_S."""
        process = self.running[name].process
        if process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.violations.add("I3", f"{name} did not end {END_TIMEOUT_S:.0f} s after SIGTERM")
            process.kill()
            process.wait(END_TIMEOUT_S)
        else:
            if code not in (0, -signal.SIGTERM):
                self.violations.add("I3", f"{name} ended with code {code} after SIGTERM")

    # ---- the thread ------------------------------------------------------------------------------

    def _tend(self) -> None:
        while not self._stopping.wait(TEND_INTERVAL_S):
            now = time.monotonic()
            with self._lock:
                due = [undo for at, undo in self._undo if at <= now]
                self._undo = [(at, undo) for at, undo in self._undo if at > now]
            for undo in due:
                undo()
            for name in () if self._held else NAMES:
                self._restart_if_dead(name, now)

    def _restart_if_dead(self, name: str, now: float) -> None:
        service = self.running.get(name)
        if service is None or (service.again_at is not None and now >= service.again_at):
            self._start(name)
        elif service.again_at is None and service.process.poll() is not None:
            service.again_at = now + self.random.uniform(0.0, 3.0)

    def _start(self, name: str) -> None:
        with (self.folder / "logs" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                tethered(*COMMANDS[name]),
                cwd=HERE,
                env=environment(self.settings) | {"CHAOS_LEDGER": str(self.folder / "ledger")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.starts += 1
        with self._lock:
            self.running[name] = Service(process, time.monotonic())


def build(folder: Path, seed: int) -> World:
    """Create an installation in `folder`, without starting it."""
    for name in ("logs", "ledger"):
        (folder / name).mkdir()
    disk = Disk(folder / "disk")
    settings = dataclasses.replace(
        Settings(),
        data=disk.folder / "data",
        api_port=free_port(),
        portal_port=free_port(),
        db_port=free_port(),
        workflows=(WORKFLOWS,),
        cores=16,
        run_cores=2,
        max_runs=8,
        attempts=12,
        cancel_grace=2.0,
        disk_floor=64,
        max_console=4,
        run_writes=(folder / "ledger",),
        run_variables=("CHAOS_LEDGER",),
    )
    runs = settings.data / "runs"
    return World(
        folder,
        disk,
        Violations(folder / "evidence", runs, folder / "ledger"),
        random.Random(f"world {seed}"),
        settings,
        bootstrap.build(settings),
        bootstrap.build(settings, patience=30),
    )
