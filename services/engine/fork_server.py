"""The fork server: Snakemake is imported once, each attempt is a fork of that.

A forked Snakemake reaches its first job in a twentieth of the time of a new one, and some forks are
always made ahead: they wait for the next orders. What makes forking safe: this process has one
thread, opens no connection, and does nothing but fork. It ends when the runner does, and the
forks that wait with it; those at work go on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from itertools import chain
from typing import NoReturn

from services.engine import supervisor
from services.engine.execution import Order
from services.engine.warmup import warm_up
from services.errors import RundeskError
from services.host import processes
from services.host.launcher import program
from services.settings import HERE, Settings

log = logging.getLogger("rundesk.nursery")

MESSAGE = 1 << 12  # bytes of the largest message
ORDER, READY, STARTED = b"order", b"ready", b"started"
FILES = 3  # with an order: the lock of its attempt, the door for errands, the order itself
PATIENCE = 5.0  # s that a fork may take
AHEAD = 4  # forks made at once, for the orders to come
BACK_OFF = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # s before a further start
STABLE = 60.0  # s after which a nursery counts as healthy
SLOWEST = 120.0  # s that it may take to be ready
TOO_OFTEN = 5  # failures in a row after which runs need not wait for better times


class NurseryFailed(RundeskError):
    """The process that starts runs does not answer."""


class Nursery:
    """The runner's end: starts the process, starts it again when it died, and hands it orders."""

    def __init__(self, settings: Settings, door: socket.socket) -> None:
        """`door`: where those who execute an order ask the runner for errands."""
        self._settings = settings
        self._door = door
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ready = False
        self._started = 0.0  # monotonic
        self._failures = 0  # in a row
        self._trouble = ""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def ready(self) -> bool:
        """Whether it takes orders now; starts it when it is time to. Never waits."""
        since = time.monotonic() - self._started
        if self._process is not None and self._process.poll() is not None:
            self._failed(f"ended with code {self._process.returncode}")
        elif self._process is not None and not self._ready and since > SLOWEST:
            self._failed(f"was not ready after {SLOWEST:.0f} s")
        if self._process is None:
            if since >= BACK_OFF[min(self._failures, len(BACK_OFF) - 1)] or not self._started:
                self._start()
        elif not self._ready and self._socket is not None:
            try:
                self._ready = self._socket.recv(MESSAGE, socket.MSG_DONTWAIT) == READY
            except BlockingIOError:
                pass
            except OSError:
                self._failed("does not answer")
        return self._ready

    def trouble(self) -> str:
        """Why runs cannot start, once for each failure after too many in a row; else empty."""
        words, self._trouble = self._trouble, ""
        return words

    def order(self, order: Order, lock: int) -> None:
        """Have an attempt executed; its lock goes with it. Raises NurseryFailed."""
        if self._socket is None:
            raise NurseryFailed
        try:
            with open(os.memfd_create("order"), "wb") as file:  # noqa: PTH123 - it has no path
                pickle.dump(order, file)
                file.flush()
                self._socket.settimeout(PATIENCE)
                files = [lock, self._door.fileno(), file.fileno()]
                socket.send_fds(self._socket, [ORDER], files)
            answer = self._socket.recv(MESSAGE)
        except OSError as error:
            self._failed("does not answer")
            raise NurseryFailed(f"The process that starts runs failed: {error}") from error
        if answer != STARTED:
            self._failed("cannot start runs")
            raise NurseryFailed(f"The process that starts runs failed: {answer.decode()}")

    def stop(self) -> None:
        """End the process; runs go on."""
        self._discard()

    def _failed(self, how: str) -> None:
        healthy = self._ready and time.monotonic() - self._started > STABLE
        self._discard()
        self._failures = 1 if healthy else self._failures + 1
        log.warning("the nursery %s, failure %d in a row", how, self._failures)
        if self._failures > TOO_OFTEN:
            words = f"The process that starts runs {how}, {self._failures} times in a row."
            self._trouble = f"{words} Its last words are in the log of the runner."

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._started = time.monotonic()
        level = self._settings.log_level
        command = program("services.engine.fork_server", str(theirs.fileno()), level)
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                cwd=HERE,
                env=processes.environment(),
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


def serve(control: socket.socket) -> None:
    """Have an attempt executed for each order, until the runner is gone."""
    waiting: list[socket.socket] = []
    while True:
        waiting = waiting or hatched(control)
        message, files, _, _ = socket.recv_fds(control, MESSAGE, FILES)
        if not message:
            return
        try:
            hand_on(files, waiting)
            answer = STARTED
        except Exception as error:
            log.exception("an attempt could not be started")
            answer = repr(error).encode()[:MESSAGE]
        for file in files:
            os.close(file)
        control.send(answer)


def hand_on(files: list[int], waiting: list[socket.socket]) -> None:
    """Pass an order on to a fork that waits for one. Raises NurseryFailed when all were killed."""
    while waiting:
        with waiting.pop() as to, contextlib.suppress(ConnectionError):
            socket.send_fds(to, [ORDER], files)
            return
    raise NurseryFailed("What was forked ahead has been killed.")


def hatched(control: socket.socket) -> list[socket.socket]:
    """Where new forks wait for an order each; one ends when its end here is closed without.

    They are nobody's children: the process between them and us ends at once.
    """
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(AHEAD)]
    between = os.fork()
    if between == 0:
        try:
            for _, theirs in pairs:
                if os.fork() == 0:
                    for other in {control, *chain(*pairs)} - {theirs}:
                        other.close()
                    await_order(theirs)
        finally:
            os._exit(0)
    for _, theirs in pairs:
        theirs.close()
    os.waitpid(between, 0)
    return [ours for ours, _ in pairs]


def await_order(source: socket.socket) -> NoReturn:
    """The life of a fork: in a session of its own, where it becomes parent of all it starts."""
    os.setsid()
    processes.become_subreaper()
    with source:
        message, files, _, _ = socket.recv_fds(source, MESSAGE, FILES)
    if not message:
        os._exit(0)
    lock, door, order = files
    with open(order, "rb") as file:  # noqa: PTH123 - it has no path
        file.seek(0)
        supervisor.supervise(pickle.load(file), lock, socket.socket(fileno=door))


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's goes to the runner as well
    # What is forked keeps this, on a stream of its own: logging is slow to set up again.
    logging.basicConfig(level=sys.argv[2], format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    control = socket.socket(fileno=int(sys.argv[1]))
    processes.rename("rundesk-nursery")
    warm_up()
    try:
        control.send(READY)
        serve(control)
    except ConnectionError:  # the runner is gone
        return


if __name__ == "__main__":
    main()
