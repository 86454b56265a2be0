"""The keeper of the embedded database, with a mongod that tests may kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from pymongo import MongoClient

from services.database.embedded.binary import find
from services.database.embedded.keeper import MAX_RESTART_DELAY_S, next_delay
from services.database.embedded.mongod import HOST, Mongod, in_use
from services.errors import Misconfigured
from services.settings import HERE
from tests.helpers.waiting import PATIENCE, free_port, until


class Keeper:
    """`python -m services.database` on a folder, with its output as lines."""

    def __init__(self, data: Path, port: int, **environ: str) -> None:
        self.data, self.port = data, port
        names = {"RUNDESK_DATA": str(data), "RUNDESK_DB_PORT": str(port), "MONGODB_URI": ""}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "services.database"],
            cwd=HERE,
            env={**os.environ, **names, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        self.lines.extend(self.process.stdout or ())

    def says(self, words: str, times: int = 1) -> None:
        """Wait until the output contains these words in `times` lines."""
        until(lambda: sum(words in line for line in [*self.lines]) >= times or self.ended())
        assert sum(words in line for line in self.lines) >= times, self.lines

    def ended(self) -> bool:
        return self.process.poll() is not None

    def mongod(self) -> psutil.Process:
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def client(self) -> MongoClient:
        return MongoClient(HOST, self.port, replicaSet="rundesk", serverSelectionTimeoutMS=30000)

    def end(self, number: int = signal.SIGTERM) -> int:
        if not self.ended():
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self.process.stdout.close()
        return code


@pytest.fixture
def start(tmp_path):
    """Start keepers on the folder of the test; all of them end with the test."""
    started: list[Keeper] = []

    def starter(port: int | None = None, **environ: str) -> Keeper:
        started.append(Keeper(tmp_path / "data", port or free_port(), **environ))
        return started[-1]

    yield starter
    for keeper in started:
        keeper.end()
    until(lambda: not in_use(tmp_path / "data" / "db"))


def test_keeper_starts_a_primary_on_loopback_and_stops_it_cleanly(start):
    keeper = start()
    keeper.says("MongoDB")
    with keeper.client() as client:
        assert client.admin.command("hello")["isWritablePrimary"]
        client.d.c.insert_one({"kept": True})
    child = keeper.mongod()
    assert {c.laddr.ip for c in child.net_connections() if c.status == "LISTEN"} == {HOST}
    assert keeper.end() == 0
    assert not child.is_running()


def test_keeper_restarts_a_killed_mongod_without_losing_data(start):
    keeper = start()
    keeper.says("MongoDB")
    with keeper.client() as client:
        client.d.c.insert_one({"kept": True})
        keeper.mongod().kill()
        keeper.says("MongoDB restarted")
        assert client.d.c.count_documents({"kept": True}) == 1


def test_second_keeper_of_a_folder_exits_with_one_sentence(start):
    first = start()
    first.says("MongoDB")
    second = start()
    assert second.process.wait(PATIENCE) == 1
    assert second.end() == 1
    assert len(second.lines) == 1
    assert f"Process {first.process.pid} already runs the database" in second.lines[0]


def test_keeper_exits_when_its_port_is_in_use(start):
    with socket.create_server((HOST, 0)) as other:
        keeper = start(other.getsockname()[1])
        assert keeper.process.wait(PATIENCE) == 1
        keeper.end()
    assert len(keeper.lines) == 1
    assert "set RUNDESK_DB_PORT to a free port" in keeper.lines[0]


def test_keeper_follows_a_change_of_port(start):
    before = start()
    before.says("MongoDB")
    with before.client() as client:
        client.d.c.insert_one({"kept": True})
    before.end()
    after = start()
    after.says("MongoDB")
    with after.client() as client:
        assert client.d.c.count_documents({"kept": True}) == 1


def test_mongod_ends_with_a_killed_keeper_and_the_next_one_takes_over(start):
    killed = start()
    killed.says("MongoDB")
    orphan = killed.mongod()
    killed.end(signal.SIGKILL)
    successor = start(killed.port)
    successor.says("MongoDB")
    until(lambda: not orphan.is_running())
    with successor.client() as client:
        assert client.admin.command("hello")["isWritablePrimary"]


def test_keeper_idles_until_a_signal_where_another_database_is_set(start):
    keeper = start(MONGODB_URI="mongodb://db.example.org/")
    keeper.says("the embedded database is not started")
    assert not psutil.Process(keeper.process.pid).children()
    assert keeper.end(signal.SIGINT) == 0


def test_start_on_a_folder_in_use_fails_and_a_large_log_is_rotated(tmp_path, monkeypatch):
    monkeypatch.setattr("services.database.embedded.mongod.MAX_LOG_BYTES", 1000)
    monkeypatch.setattr("services.database.embedded.mongod.STOP_TIMEOUT_S", 0.0)
    binary = find(os.environ.get("MONGOD", ""), tmp_path / "lib")
    first = Mongod(binary, tmp_path / "db", free_port())
    first.start()
    with pytest.raises(Misconfigured, match="Another mongod is using"):
        Mongod(binary, tmp_path / "db", free_port()).start()
    first.rotate_log()
    assert (tmp_path / "db" / "mongod.log.1").stat().st_size > 1000
    until(first.log.exists)
    monkeypatch.undo()
    first.stop()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "is not a file"),
        ("#!/bin/sh\nexit 3\n", "does not run on this system"),
        ("not a program", "does not run on this system"),
        ("#!/bin/sh\necho db version v4.4.1\n", "too old"),
        (
            "#!/bin/sh\n"
            "echo mongod: error while loading shared libraries: libcurl.so.4: cannot open\n"
            "exit 127\n",
            r"needs libcurl\.so\.4",
        ),
    ],
)
def test_find_refuses_a_mongod_that_does_not_run(tmp_path, text, words):
    named = tmp_path / "mongod"
    if text:
        named.write_text(text)
        named.chmod(0o755)
    with pytest.raises(Misconfigured, match=words) as refused:
        find(str(named), tmp_path / "lib")
    assert refused.value.text.code == "misconfigured"
    assert "MONGODB_URI" in refused.value.message


def test_find_uses_the_libraries_of_pycurl_where_one_is_missing(tmp_path):
    """A mongod that starts only when the links are on its library path."""
    named = tmp_path / "mongod"
    named.write_text(
        "#!/bin/sh\n"
        '[ -e "${LD_LIBRARY_PATH%%:*}/libcurl.so.4" ] || exit 127\n'
        "echo db version v6.0.5\n"
    )
    named.chmod(0o755)
    binary = find(str(named), tmp_path / "lib")
    assert binary.version == "6.0.5"
    assert binary.environ["LD_LIBRARY_PATH"].startswith(str(tmp_path / "lib"))


def test_restart_delays_grow_to_a_limit():
    delays = [0.0]
    for _ in range(8):
        delays.append(next_delay(delays[-1]))
    assert delays[:5] == [0, 1, 2, 4, 8]
    assert delays[-1] == MAX_RESTART_DELAY_S
