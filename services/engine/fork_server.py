"""The fork server: imports Snakemake once and forks itself for each attempt.

A forked Snakemake reaches its first job in a twentieth of the time of a new one. Some forks are
created in advance and wait for the next orders. Forking is safe because this process has one thread
and opens no connection. It ends when the runner does, and so do the waiting forks; those that
execute an attempt continue.
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
import threading
import time
from itertools import chain
from typing import Any, NoReturn

from services.engine import supervisor
from services.engine.execution import Order
from services.engine.warmup import warm_up
from services.errors import Message, RundeskError, Text
from services.host import processes
from services.host.launcher import program
from services.settings import HERE, Settings

log = logging.getLogger("rundesk.fork_server")

MAX_MESSAGE_BYTES = 1 << 12
ORDER, READY, STARTED = b"order", b"ready", b"started"
FILES_PER_ORDER = 3  # the lock of the attempt, the socket of the end recorder, the order itself
FORK_TIMEOUT_S = 5.0
FORKS_AHEAD = 4  # created at once, for the next orders
BACK_OFF_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # before a further start, by failures in a row
STABLE_AFTER_S = 60.0  # until a fork server is considered healthy
START_TIMEOUT_S = 120.0
MAX_FAILURES_IN_A_ROW = 5  # after more of them runs fail instead of waiting

CHECK_RUNNER_LOG = "The log of the runner contains the error."
EXITED = Message(
    "system_error",
    "The fork server exited with code {code}, {count} times in a row.",
    hint=CHECK_RUNNER_LOG,
    one="The fork server exited with code {code}.",
)
NOT_READY_IN_TIME = Message(
    "system_error",
    "The fork server was not ready after {seconds} s, {count} times in a row.",
    hint=CHECK_RUNNER_LOG,
    one="The fork server was not ready after {seconds} s.",
)
NO_RESPONSE = Message(
    "system_error",
    "The fork server did not respond, {count} times in a row.",
    hint=CHECK_RUNNER_LOG,
    one="The fork server did not respond.",
)
NO_RUN_STARTED = Message(
    "system_error",
    "The fork server could not start a run, {count} times in a row.",
    hint=CHECK_RUNNER_LOG,
    one="The fork server could not start a run.",
)
ORDER_FAILED = Message("system_error", "The fork server failed: {error}", hint=CHECK_RUNNER_LOG)
FORKS_KILLED = Message("system_error", "The forks created in advance were killed.")


class ForkServerFailed(RundeskError):
    """The fork server cannot execute an order."""

    default = Message("system_error", "The fork server is not running.", hint=CHECK_RUNNER_LOG)


class ForkServer:
    """The runner's end: starts the process, restarts it after a failure, and sends it orders."""

    def __init__(self, settings: Settings, runner_socket: socket.socket) -> None:
        """`runner_socket`: where supervisors have the runner record the end of their attempt."""
        self._settings = settings
        self._runner_socket = runner_socket
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._ready = False
        self._started = 0.0  # monotonic
        self._failures = 0  # in a row
        self._failure: Text | None = None  # not yet taken
        self._sending = threading.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_ready(self) -> bool:
        """Whether the process accepts orders."""
        return self._ready

    def ensure_ready(self) -> bool:
        """Start the process if it is due; return whether it accepts orders. Never waits."""
        since = time.monotonic() - self._started
        if self._process is not None and self._process.poll() is not None:
            self._handle_failure(EXITED, code=self._process.returncode)
        elif self._process is not None and not self._ready and since > START_TIMEOUT_S:
            self._handle_failure(NOT_READY_IN_TIME, seconds=round(START_TIMEOUT_S))
        if self._process is None:
            if since >= BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)] or not self._started:
                self._start()
        elif not self._ready and self._socket is not None:
            try:
                self._ready = self._socket.recv(MAX_MESSAGE_BYTES, socket.MSG_DONTWAIT) == READY
            except BlockingIOError:
                pass
            except OSError:
                self._handle_failure(NO_RESPONSE)
        return self._ready

    def take_failure(self) -> Text | None:
        """Return why runs cannot start, once per failure after MAX_FAILURES_IN_A_ROW; else None."""
        failure, self._failure = self._failure, None
        return failure

    def send_order(self, order: Order, lock: int) -> None:
        """Have an attempt executed; its lock is passed on. Raises ForkServerFailed."""
        with self._sending:  # dispatcher and reconciler have threads of their own
            self._send_order(order, lock)

    def _send_order(self, order: Order, lock: int) -> None:
        if self._socket is None:
            raise ForkServerFailed
        try:
            with open(os.memfd_create("order"), "wb") as file:  # noqa: PTH123 - it has no path
                pickle.dump(order, file)
                file.flush()
                self._socket.settimeout(FORK_TIMEOUT_S)
                files = [lock, self._runner_socket.fileno(), file.fileno()]
                socket.send_fds(self._socket, [ORDER], files)
            answer = self._socket.recv(MAX_MESSAGE_BYTES)
        except OSError as error:
            self._handle_failure(NO_RESPONSE)
            raise ForkServerFailed(ORDER_FAILED(error=error)) from error
        if answer != STARTED:
            self._handle_failure(NO_RUN_STARTED)
            raise ForkServerFailed(ORDER_FAILED(error=answer.decode()))

    def stop(self) -> None:
        """End the process; runs continue."""
        self._discard()

    def _handle_failure(self, message: Message, **values: Any) -> None:
        """Discard the process and count a failure, which `message` describes."""
        healthy = self._ready and time.monotonic() - self._started > STABLE_AFTER_S
        self._discard()
        self._failures = 1 if healthy else self._failures + 1
        failure = message(count=self._failures, **values)
        log.warning("%s", failure)
        if self._failures > MAX_FAILURES_IN_A_ROW:
            self._failure = failure

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
                env=processes.environment(self._settings.run_variables),
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
    """Execute an attempt for each order, until the runner has ended."""
    waiting: list[socket.socket] = []
    while True:
        waiting = waiting or fork_ahead(control)
        message, files, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, FILES_PER_ORDER)
        if not message:
            return
        try:
            pass_order(files, waiting)
            answer = STARTED
        except Exception as error:
            log.exception("an attempt could not be started")
            answer = (str(error) or repr(error)).encode()[:MAX_MESSAGE_BYTES]
        for file in files:
            os.close(file)
        control.send(answer)


def pass_order(files: list[int], waiting: list[socket.socket]) -> None:
    """Pass an order to a waiting fork. Raises ForkServerFailed when all of them were killed."""
    while waiting:
        with waiting.pop() as target, contextlib.suppress(ConnectionError):
            socket.send_fds(target, [ORDER], files)
            return
    raise ForkServerFailed(FORKS_KILLED())


def fork_ahead(control: socket.socket) -> list[socket.socket]:
    """Create forks that each wait for an order; return the sockets that lead to them.

    A fork whose socket is closed without an order ends. The forks are no children of this process:
    the process in between ends at once.
    """
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(FORKS_AHEAD)]
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
    """Wait for an order in a fork and execute it.

    The fork leads a session of its own and becomes the parent of all that it starts.
    """
    os.setsid()
    processes.become_subreaper()
    with source:
        message, files, _, _ = socket.recv_fds(source, MAX_MESSAGE_BYTES, FILES_PER_ORDER)
    if not message:
        os._exit(0)
    lock, runner_socket, order = files
    with open(order, "rb") as file:  # noqa: PTH123 - it has no path
        file.seek(0)
        supervisor.supervise(pickle.load(file), lock, socket.socket(fileno=runner_socket))


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the runner as well
    # Forks keep this logging, redirected to a file of their own: setting it up again is slow.
    logging.basicConfig(level=sys.argv[2], format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    control = socket.socket(fileno=int(sys.argv[1]))
    processes.rename("rundesk-forks")
    warm_up()
    try:
        control.send(READY)
        serve(control)
    except ConnectionError:  # the runner has ended
        return


if __name__ == "__main__":
    main()
