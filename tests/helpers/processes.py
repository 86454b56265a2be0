"""The processes of the Procfile for tests, each of which can be stopped and restarted."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from services.host.launcher import program
from services.settings import HERE, Settings
from tests.helpers.desk import end_runs, environment
from tests.helpers.waiting import PATIENCE, until

COMMANDS = {
    "db": program("services.database"),
    "api": program("cli", "serve", "api"),
    "portal": program("cli", "serve", "portal"),
    "runner": program("services.runner"),
}


class Servers:
    """Starts the processes of an installation, and stops only those that it started."""

    def __init__(self, settings: Settings, logs: Path, **extra: str) -> None:
        self.settings = settings
        self._environment = environment(settings) | extra
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self, *names: str) -> None:
        """Start processes."""
        for name in names:
            with (self._logs / f"{name}.log").open("ab") as log:
                self._running[name] = subprocess.Popen(
                    COMMANDS[name],
                    cwd=HERE,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )

    def start(self, *names: str) -> None:
        """Start processes and wait until the servers among them respond."""
        self.begin(*names)
        base = urlsplit(self.settings.public_portal_url).path.rstrip("/")
        for name, port, path in (
            ("api", self.settings.api_port, "/healthz"),
            ("portal", self.settings.portal_port, f"{base}/_stcore/health"),
        ):
            if name in names:
                until(partial(_answers, f"http://127.0.0.1:{port}{path}"))

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop a process and return its exit code."""
        process = self._running.pop(name)
        process.send_signal(how)
        try:
            return process.wait(PATIENCE)
        finally:
            process.kill()

    def processes(self, name: str) -> list[psutil.Process]:
        """Return a process and all its descendants."""
        first = psutil.Process(self._running[name].pid)
        return [first, *first.children(recursive=True)]

    def memory(self, name: str) -> int:
        """Return the resident bytes of a process and all its descendants."""
        return sum(process.memory_info().rss for process in self.processes(name))

    def kill(self, name: str) -> None:
        """Kill a process and all its descendants."""
        family = self.processes(name)
        for process in family:
            process.kill()
        psutil.wait_procs(family[1:], PATIENCE)
        self._running.pop(name).wait(PATIENCE)

    def stop_all(self) -> None:
        for name in list(self._running):
            self.stop(name)

    def log(self, name: str) -> str:
        return (self._logs / f"{name}.log").read_text(errors="replace")


@contextlib.contextmanager
def serving(settings: Settings, logs: Path, *names: str, **extra: str) -> Iterator[Servers]:
    """Yield running processes of an installation; stop them and the processes of runs."""
    servers = Servers(settings, logs, **extra)
    try:
        servers.start(*names)
        yield servers
    finally:
        servers.stop_all()
        end_runs(settings)


def _answers(address: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
