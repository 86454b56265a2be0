"""One mongod on one folder: start it, make it the primary of its own replica set, stop it.

A replica set of one, because majority and journaled writes are then the default, and transactions
and change streams work. It listens on loopback only and ends when the process that started it does.
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
from services.errors import Misconfigured, RundeskError
from services.host.ports import check_free, taken
from services.host.tether import tethered

HOST = "127.0.0.1"
REPLICA_SET = "rundesk"
CACHE_GB = 0.25  # MongoDB's own default is half the memory of the host
OPLOG_MB = 128
LOG_BYTES = 16 * 1024 * 1024  # a log larger than this is put aside; one old log is kept
READY_SECONDS = 120.0  # recovery after a crash replays the journal
STOP_SECONDS = 30.0
PORT_SECONDS = 2.0
POLL_SECONDS = 0.02
NOT_INITIATED = 94  # MongoDB's error code NotYetInitialized
EXIT_PORT_TAKEN = 48
EXIT_FOLDER_TAKEN = 100


class MongodFailed(RundeskError):
    """mongod does not start."""


class Mongod:
    """A mongod of ours. Not thread-safe: it ends with the thread that started it."""

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
        """Start it and return when it takes writes.

        Raises Misconfigured when port or folder are taken, MongodFailed when it ends or is not
        ready within READY_SECONDS; then nothing of it is left running.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._wait_for_folder()
        self._wait_for_port()
        self.rotate_log()
        self._process = subprocess.Popen(
            tethered(*self._command()),
            env={**os.environ, **self.binary.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # its end tells that mongod is gone; see wait()
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C at the terminal is ours to handle
        )
        try:
            self._become_primary()
        except BaseException:
            self.stop()
            raise

    def wait(self, seconds: float) -> int | None:
        """Wait that long for it to end; its exit code (negative: a signal), None if it lives."""
        process = self._started()
        if process.stdout and not process.stdout.closed:
            news, _, _ = select.select([process.stdout], [], [], seconds)
            if news and not os.read(process.stdout.fileno(), 65536):  # end of stream: it is gone
                process.stdout.close()
                process.wait()
        return process.poll()

    def stop(self) -> None:
        """Ask it to end, wait, and end it by force when it does not within STOP_SECONDS."""
        process = self._started()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def rotate_log(self) -> None:
        """Put the log aside when it has grown past LOG_BYTES."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
            if self._process and self._process.poll() is None:
                self._process.send_signal(signal.SIGUSR1)  # mongod opens its log anew

    def _command(self) -> list[str]:
        options: dict[str, Any] = {
            "dbpath": self.folder,
            "port": self.port,
            "bind_ip": HOST,
            "replSet": REPLICA_SET,
            "wiredTigerCacheSizeGB": CACHE_GB,
            # Without preallocation a new database takes 11 MB of disk, with it 315.
            "wiredTigerEngineConfigString": "log=(prealloc=false,file_max=10MB)",
            "oplogSize": OPLOG_MB,
            "setParameter": "diagnosticDataCollectionEnabled=false",
            "logpath": self.log,
            "logRotate": "reopen",
        }
        flags = ["--logappend", "--nounixsocket", "--noscripting", "--quiet"]
        given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        return [str(self.binary.path), *given, *flags]

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("mongod was not started")
        return self._process

    def _wait_for_folder(self) -> None:
        """Let the mongod of a keeper that was killed finish: it ends by itself, in its own time."""
        if not _until(lambda: not in_use(self.folder), STOP_SECONDS):
            raise Misconfigured(f"Another mongod works on {self.folder}: stop it first.")

    def _wait_for_port(self) -> None:
        """One that ends gives up its folder a little before its port."""

        def free() -> bool:
            with contextlib.suppress(Misconfigured):
                check_free(HOST, self.port, "RUNDESK_DB_PORT")
                return True
            return False

        if not _until(free, PORT_SECONDS):
            check_free(HOST, self.port, "RUNDESK_DB_PORT")

    def _become_primary(self) -> None:
        """Wait until it takes writes, initiating its replica set where that was not done before."""
        news = ""
        with _client(self.port) as client:

            def primary() -> bool:
                nonlocal news
                self._raise_if_ended()
                if not _answers(self.port):  # the driver itself would look twice a second only
                    return False
                try:
                    if client.admin.command("hello").get("isWritablePrimary"):
                        return True
                    self._configure(client)
                except PyMongoError as error:
                    news = str(error)
                return False

            if not _until(primary, READY_SECONDS):
                raise MongodFailed(f"mongod did not become ready in {READY_SECONDS:.0f} s: {news}")

    def _configure(self, client: MongoClient[dict[str, Any]]) -> None:
        """Initiate the replica set, or tell it its port when that is another than last time."""
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
        """Raises what its exit code says, if it has one."""
        code = self._started().poll()
        if code is None:
            return
        if code == EXIT_PORT_TAKEN:
            raise taken(self.port, "RUNDESK_DB_PORT")
        if code == EXIT_FOLDER_TAKEN:
            raise Misconfigured(f"Another mongod works on {self.folder}: stop it first.")
        raise MongodFailed(f"mongod ended with code {code}: {self._last_words()}")

    def _last_words(self) -> str:
        """What its log gives as the reason, and where the log is."""
        reason = ""
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 65536))
            for line in log:
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if entry.get("s") in {"E", "F"}:
                        reason = f"{entry['msg']} {json.dumps(entry.get('attr', {}))}"
        return f"{reason[:300]} (see {self.log})".strip()


def in_use(folder: Path) -> bool:
    """Whether a mongod works on the folder: it holds a lock on its file there."""
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
    """Whether `condition` came true within that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True
