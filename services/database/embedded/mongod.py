"""Start mongod on a folder, make it the primary of its own replica set, and stop it.

It is a replica set of one member, because majority and journaled writes are then the default, and
transactions and change streams work. It listens on loopback only and ends when its parent ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from services.database.embedded.binary import Binary
from services.errors import Message, Misconfigured, RundeskError
from services.host.ports import check_free, port_in_use
from services.host.tether import tethered

HOST = "127.0.0.1"
REPLICA_SET = "rundesk"
CACHE_GB = 0.25  # MongoDB's own default is half the memory of the host
OPLOG_MB = 128
MAX_LOG_BYTES = 16 * 1024 * 1024  # a larger log is rotated; one old log is kept
READY_TIMEOUT_S = 120.0  # recovery after a crash replays the journal
STOP_TIMEOUT_S = 30.0
PORT_TIMEOUT_S = 2.0
POLL_INTERVAL_S = 0.02
NOT_INITIATED = 94  # MongoDB's error code NotYetInitialized
EXIT_PORT_IN_USE = 48
EXIT_FOLDER_IN_USE = 100

FOLDER_IN_USE = Message(
    "misconfigured", "Another mongod is using {folder}; stop it before you start this one."
)
NOT_READY = Message(
    "database_unavailable", "mongod did not become ready within {seconds:.0f} s: {reason}"
)
EXITED = Message("database_unavailable", "mongod exited with code {code} (see {log}): {reason}")


class MongodFailed(RundeskError):
    """mongod did not start."""

    default = Message("database_unavailable", "mongod did not start.")


class Mongod:
    """A mongod process. Not thread-safe: it ends with the thread that started it."""

    def __init__(self, binary: Binary, folder: Path, port: int) -> None:
        self.binary = binary
        self.folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "mongod.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start mongod and return when it accepts writes.

        Raises Misconfigured when its port or folder is in use, and MongodFailed when it exits or is
        not ready within READY_TIMEOUT_S; it is stopped then.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._wait_for_folder()
        self._wait_for_port()
        self.rotate_log()
        self._process = subprocess.Popen(
            tethered(*self._command()),
            env={**os.environ, **self.binary.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # reaches its end when mongod exits; see wait()
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal must not reach mongod
        )
        try:
            self._become_primary()
        except BaseException:
            self.stop()
            raise

    def wait(self, seconds: float) -> int | None:
        """Wait for mongod to exit; return its exit code (negative: a signal), None if it runs."""
        process = self._started()
        if process.stdout and not process.stdout.closed:
            readable, _, _ = select.select([process.stdout], [], [], seconds)
            if readable and not os.read(process.stdout.fileno(), 65536):  # it has exited
                process.stdout.close()
                process.wait()
        return process.poll()

    def stop(self) -> None:
        """Terminate mongod, and kill it unless it exits within STOP_TIMEOUT_S."""
        process = self._started()
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def rotate_log(self) -> None:
        """Rename the log when it is larger than MAX_LOG_BYTES."""
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
            if self._process and self._process.poll() is None:
                self._process.send_signal(signal.SIGUSR1)  # makes mongod open a new log

    def _command(self) -> list[str]:
        options: dict[str, Any] = {
            "dbpath": self.folder,
            "port": self.port,
            "bind_ip": HOST,
            "replSet": REPLICA_SET,
            "wiredTigerCacheSizeGB": CACHE_GB,
            # Without preallocation a new database uses 11 MB of disk, with it 315 MB.
            "wiredTigerEngineConfigString": "log=(prealloc=false,file_max=10MB)",
            "oplogSize": OPLOG_MB,
            "setParameter": "diagnosticDataCollectionEnabled=false",
            "logpath": self.log,
            "logRotate": "reopen",
        }
        flags = ["--logappend", "--nounixsocket", "--noscripting", "--quiet"]
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return [str(self.binary.path), *words, *flags]

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("mongod has not been started")
        return self._process

    def _wait_for_folder(self) -> None:
        """Wait for the mongod of a killed keeper, which shuts down by itself."""
        if not _until(lambda: not in_use(self.folder), STOP_TIMEOUT_S):
            raise Misconfigured(FOLDER_IN_USE(folder=self.folder))

    def _wait_for_port(self) -> None:
        """Wait for the port, which a mongod releases shortly after its folder."""

        def free() -> bool:
            with contextlib.suppress(Misconfigured):
                check_free(HOST, self.port, "RUNDESK_DB_PORT")
                return True
            return False

        if not _until(free, PORT_TIMEOUT_S):
            check_free(HOST, self.port, "RUNDESK_DB_PORT")

    def _become_primary(self) -> None:
        """Wait until mongod accepts writes; initiate its replica set at the first start."""
        reason = ""
        with _client(self.port) as client:

            def primary() -> bool:
                nonlocal reason
                self._raise_if_ended()
                if not _answers(self.port):  # PyMongo would try only twice a second
                    return False
                try:
                    if client.admin.command("hello").get("isWritablePrimary"):
                        return True
                    self._configure(client)
                except PyMongoError as error:
                    reason = str(error)
                return False

            if not _until(primary, READY_TIMEOUT_S):
                raise MongodFailed(NOT_READY(seconds=READY_TIMEOUT_S, reason=reason))

    def _configure(self, client: MongoClient[dict[str, Any]]) -> None:
        """Initiate the replica set, or reconfigure it when the port has changed."""
        member = f"{HOST}:{self.port}"
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code != NOT_INITIATED:
                raise
            config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": member}]}
            client.admin.command("replSetInitiate", config)
            return
        if config["members"][0]["host"] != member:
            config["members"] = [{**config["members"][0], "host": member}]
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)

    def _raise_if_ended(self) -> None:
        """Raise Misconfigured or MongodFailed if mongod has exited."""
        code = self._started().poll()
        if code is None:
            return
        if code == EXIT_PORT_IN_USE:
            raise port_in_use(self.port, "RUNDESK_DB_PORT")
        if code == EXIT_FOLDER_IN_USE:
            raise Misconfigured(FOLDER_IN_USE(folder=self.folder))
        raise MongodFailed(EXITED(code=code, log=self.log, reason=self._last_error()))

    def _last_error(self) -> str:
        """Return the last error in the log, shortened to 300 characters."""
        reason = "no error in its log"
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 65536))
            for line in log:
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if entry.get("s") in {"E", "F"}:
                        reason = f"{entry['msg']} {json.dumps(entry.get('attr', {}))}"
        return reason[:300]


def in_use(folder: Path) -> bool:
    """Return whether a mongod is using the folder: it holds a lock on a file in it."""
    try:
        with (folder / "mongod.lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _client(port: int) -> MongoClient[dict[str, Any]]:
    return MongoClient(HOST, port, directConnection=True, serverSelectionTimeoutMS=1000)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait up to `seconds` for `condition`; return whether it became true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_INTERVAL_S)
    return True
