"""The desk under test: its processes, who starts them again, and what is wrong with it just now."""

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
STARTING = 3.0  # s until a started process counts as being there
ENDING = 40.0  # s that a process may take to end after SIGTERM
LOOK = 0.1  # s


@dataclass
class Service:
    """One process of the Procfile."""

    process: subprocess.Popen[bytes]
    started: float
    again_at: float | None = None  # when it is to be started again


@dataclass
class World:
    """Starts the processes, starts them again a little after they died, and undoes faults in time.

    `able` says whether the desk is in a condition to do its work: then its promises are timed.
    """

    folder: Path
    disk: Disk
    violations: Violations
    random: random.Random
    settings: Settings
    services: bootstrap.Services  # with the patience of portal and API
    patient: bootstrap.Services  # for the calm afterwards
    troubles: set[str] = field(default_factory=set)  # what is wrong now, by our own doing
    frozen: list[str] = field(default_factory=list)  # runs of which a process is stopped
    running: dict[str, Service] = field(default_factory=dict)
    starts: int = 0
    full: list[tuple[float, float]] = field(default_factory=list)  # when the disk was; epoch

    def __post_init__(self) -> None:
        self._undo: list[tuple[float, Callable[[], None]]] = []
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._held = False  # nothing is started again: an orderly restart is under way
        # Tethered processes end with the thread that starts them, so one thread starts them all.
        self._thread = threading.Thread(target=self._tend, name="world", daemon=True)

    # ---- life ------------------------------------------------------------------------------------

    def begin(self) -> None:
        self._thread.start()
        until(lambda: len(self.running) == len(NAMES))
        self.services.database.wait(60)
        self.services.database.create_indexes()
        until(lambda: (self.settings.data / "host").exists())
        until(self.whole)

    def end(self) -> None:
        """Undo everything, end the desk, and let nothing of it live on."""
        self.calm()
        self._held = True
        for name in ("runner", "api", "db"):
            if name in self.running:
                self.terminate(name)
        self._over.set()
        self._thread.join(10)
        end_runs(self.settings)
        self.services.close()
        self.patient.close()

    def calm(self) -> None:
        """Undo every fault that is not undone yet."""
        with self._lock:
            due, self._undo = [undo for _, undo in self._undo], []
        for undo in due:
            undo()

    def later(self, seconds: float, undo: Callable[[], None]) -> None:
        with self._lock:
            self._undo.append((time.monotonic() + seconds, undo))

    def whole(self) -> bool:
        """Whether nothing is wrong with it and it answers."""
        try:
            self.services.database.ping()
        except DatabaseUnavailable:
            return False
        return self.able and self._api_answers()

    def _api_answers(self) -> bool:
        """The API of now: workers of one that was killed answer for a moment more."""
        service = self.running.get("api")
        if service is None or time.monotonic() - service.started <= STARTING:
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
                service.process.poll() is None and now - service.started > STARTING
                for name, service in self.running.items()
                if name != "api"
            )

    # ---- who is who ------------------------------------------------------------------------------

    def of(self, name: str) -> Row | None:
        """A process of the desk: db, api, runner, or one below: nursery, mongod, worker."""
        above = {"nursery": "runner", "mongod": "db", "worker": "api"}.get(name)
        service = self.running.get(above or name)
        if service is None or service.process.poll() is not None:
            return None
        if above is None:
            return row(service.process.pid)
        children = [r for r in table().values() if r.parent == service.process.pid]
        return self.random.choice(children) if children else None

    def restart(self) -> None:
        """SIGTERM to each process; all are started again when all have ended."""
        self._held = True
        self.troubles.add("restart")
        try:
            for name in ("api", "runner", "db"):
                self.terminate(name)
        finally:
            self._held = False
            self.troubles.discard("restart")

    def terminate(self, name: str) -> None:
        """Ask a process to end; it has to, in time."""
        process = self.running[name].process
        if process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.violations.add("I3", f"{name} did not end {ENDING:.0f} s after SIGTERM")
            process.kill()
            process.wait(ENDING)
        else:
            if code not in (0, -signal.SIGTERM):
                self.violations.add("I3", f"{name} ended with code {code} after SIGTERM")

    # ---- the thread ------------------------------------------------------------------------------

    def _tend(self) -> None:
        while not self._over.wait(LOOK):
            now = time.monotonic()
            with self._lock:
                due = [undo for at, undo in self._undo if at <= now]
                self._undo = [(at, undo) for at, undo in self._undo if at > now]
            for undo in due:
                undo()
            for name in () if self._held else NAMES:
                self._look_after(name, now)

    def _look_after(self, name: str, now: float) -> None:
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
    """A desk in `folder`, not started."""
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
