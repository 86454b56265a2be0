"""The fork server: Snakemake is imported once, each attempt is a fork of that.

A forked Snakemake reaches its first job in a twentieth of the time of a new one. What makes forking
safe: this process has one thread, opens no connection, and does nothing but fork. It ends when the
runner does; what it forked goes on.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from services.engine import processes, supervisor
from services.engine.execution import Order
from services.errors import RundeskError
from services.settings import HERE, Settings

log = logging.getLogger("rundesk.nursery")

#: Snakemake imports these while it runs; here they are imported before any fork.
LAZY = (
    "snakemake.cli",
    "snakemake.api",
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
MESSAGE = 1 << 17  # bytes of the largest message
READY, STARTED = b"ready", b"started"
PATIENCE = 5.0  # s that a fork may take
BACK_OFF = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # s before a further start
STABLE = 60.0  # s after which a nursery counts as healthy again
OURS = ("RUNDESK_", "SNAKEMAKE_", "MONGODB_URI", "MONGOD")


class NurseryFailed(RundeskError):
    """The process that starts runs does not answer."""


class Nursery:
    """The runner's end: starts the process, starts it again when it died, and hands it orders."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ready = False
        self._started = 0.0
        self._failures = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def ready(self) -> bool:
        """Whether it takes orders now; starts it when it is time to. Never waits."""
        if self._process is not None and self._process.poll() is not None:
            log.warning("the nursery ended with code %s", self._process.returncode)
            self._discard()
        if self._process is None:
            healthy = time.monotonic() - self._started > STABLE
            self._failures = 0 if healthy else self._failures
            pause = BACK_OFF[min(self._failures, len(BACK_OFF) - 1)]
            if time.monotonic() - self._started >= pause or healthy:
                self._start()
        elif not self._ready and self._socket is not None:
            try:
                self._ready = self._socket.recv(MESSAGE, socket.MSG_DONTWAIT) == READY
            except BlockingIOError:
                pass
            except OSError:
                self._discard()
        return self._ready

    def order(self, order: Order, lock: int) -> None:
        """Have an attempt executed; its lock goes with it. Raises NurseryFailed."""
        if self._socket is None:
            raise NurseryFailed
        try:
            self._socket.settimeout(PATIENCE)
            socket.send_fds(self._socket, [pickle.dumps(order)], [lock])
            answer = self._socket.recv(MESSAGE)
        except OSError as error:
            self._discard()
            raise NurseryFailed from error
        if answer != STARTED:
            self._discard()
            raise NurseryFailed(f"The nursery could not start the run: {answer.decode()}")

    def stop(self) -> None:
        """End the process; runs go on."""
        self._discard()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._failures += 1
        self._started = time.monotonic()
        command = [sys.executable, "-m", "services.engine.nursery", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                cwd=HERE,
                env=environment(os.environ),
                stdin=subprocess.DEVNULL,
            )
        self._socket, self._ready = ours, False

    def _discard(self) -> None:
        self._ready = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def environment(of: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """What runs may see of the desk's environment: none of its settings, its programs first."""
    kept = {name: value for name, value in of.items() if not name.startswith(OURS)}
    beside = str(Path(sys.executable).parent)
    return {**kept, "PATH": os.pathsep.join([beside, kept.get("PATH", os.defpath)])}


def serve(control: socket.socket) -> None:
    """Fork an attempt for each order, until the runner is gone."""
    while True:
        message, locks, _, _ = socket.recv_fds(control, MESSAGE, 1)
        if not message:
            return
        try:
            fork(pickle.loads(message), locks[0], control)
            answer = STARTED
        except Exception as error:
            log.exception("an attempt could not be started")
            answer = repr(error).encode()[:MESSAGE]
        for lock in locks:
            os.close(lock)
        control.send(answer)


def fork(order: Order, lock: int, control: socket.socket) -> None:
    """A supervisor that is nobody's child: the process between it and us ends at once."""
    between = os.fork()
    if between == 0:
        try:
            if os.fork() == 0:
                control.close()
                supervisor.supervise(order, lock)
        finally:
            os._exit(0)
    os.waitpid(between, 0)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's goes to the runner as well
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    control = socket.socket(fileno=int(sys.argv[1]))
    processes.rename("rundesk-nursery")
    for name in LAZY:
        try:
            importlib.import_module(name)
        except ImportError as error:
            log.info("%s is not here: %s", name, error)
    register_plugins()
    gc.collect()
    gc.freeze()
    try:
        control.send(READY)
        serve(control)
    except OSError:  # the runner is gone
        return


def register_plugins() -> None:
    """Have Snakemake find its plugins once; it keeps them for the life of the process."""
    from snakemake.cli import get_argument_parser

    get_argument_parser()


if __name__ == "__main__":
    main()
