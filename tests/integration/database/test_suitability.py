"""Wrong databases, each with a sentence of its own, on real servers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from services.database import suitability
from services.database.embedded.binary import find
from services.database.embedded.mongod import Mongod
from services.errors import Misconfigured
from tests.helpers.waiting import free_port, until

PASSWORD = "p@ss%/:ö"
ESCAPED = "p%40ss%25%2F%3A%C3%B6"


@dataclass(frozen=True)
class Server:
    """A mongod that was started with options of its own."""

    port: int

    def uri(self, user: str = "", options: str = "") -> str:
        return f"mongodb://{user}127.0.0.1:{self.port}/?{options}"


def answers(port: int) -> bool:
    with MongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500
    ) as client:
        try:
            hello = client.admin.command("hello")
        except PyMongoError:
            return False
    return bool(hello["isWritablePrimary"])


def ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(60)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[Server]:
    """A replica set that requires a user: "writer" and "reader" of the database "rundesk"."""
    folder: Path = tmp_path_factory.mktemp("guarded")
    binary = find(os.environ.get("MONGOD", ""), folder / "lib")
    mongod = Mongod(binary, folder / "db", free_port())
    mongod.start()
    with MongoClient("127.0.0.1", mongod.port, directConnection=True) as client:
        for user, role in (("writer", "readWrite"), ("reader", "read")):
            client["rundesk"].command("createUser", user, pwd=PASSWORD, roles=[role])
    command = mongod._command()
    mongod.stop()
    key = folder / "key"
    key.write_text("a" * 64)
    key.chmod(0o400)
    process = subprocess.Popen(
        [*command, "--keyFile", str(key)],
        env={**os.environ, **binary.environ},
        stdout=subprocess.DEVNULL,
    )
    until(lambda: answers(mongod.port))
    yield Server(mongod.port)
    ended(process)


@pytest.fixture(scope="module")
def standalone(tmp_path_factory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("standalone")
    binary = find(os.environ.get("MONGOD", ""), folder / "lib")
    (folder / "db").mkdir()
    port = free_port()
    command = [str(binary.path), "--dbpath", str(folder / "db"), "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--bind_ip", "127.0.0.1"],
        env={**os.environ, **binary.environ},
        stdout=subprocess.DEVNULL,
    )
    until(lambda: answers(port))
    yield Server(port)
    ended(process)


def refused(uri: str) -> str:
    with pytest.raises(Misconfigured) as caught:
        suitability.check(uri, "rundesk", timeout=2.0)
    text = caught.value.text
    assert "ss%" not in text.values.get("reason", "")
    assert PASSWORD not in str(text)
    assert str(text).endswith(".")
    return str(text)


AUTH = "authSource=rundesk"


@pytest.mark.parametrize(
    ("user", "options", "expected"),
    [
        ("", "", "requires a user, and MONGODB_URI names none."),
        ("writer:wrong@", AUTH, "refuses the user or the password of MONGODB_URI."),
        (f"nobody:{ESCAPED}@", AUTH, "refuses the user or the password of MONGODB_URI."),
        (f"writer:{ESCAPED}@", "", "refuses the user or the password of MONGODB_URI."),
        (f"reader:{ESCAPED}@", AUTH, "may not change the database rundesk."),
        (f"writer:{ESCAPED}@", f"{AUTH}&replicaSet=other", "replica set that MONGODB_URI names."),
        (f"writer:{ESCAPED}@", f"{AUTH}&w=0", "sets w=0, with which lost writes are not noticed."),
        (f"writer:{ESCAPED}@", f"{AUTH}&tls=true", "cannot be reached: "),
        ("writer:p@ss%/:ö@", AUTH, "MONGODB_URI is not a valid connection string: "),
    ],
)
def test_wrong_user_or_option_is_refused(guarded, user, options, expected):
    assert expected in refused(guarded.uri(user, options))


def test_user_who_may_write_the_one_database_suffices(guarded):
    uri = guarded.uri(f"writer:{ESCAPED}@", AUTH)
    assert suitability.check(uri, "rundesk").startswith("6.")


def test_standalone_server_is_refused(standalone):
    text = refused(standalone.uri())
    assert f"127.0.0.1:{standalone.port} is not a replica set" in text


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("mongodb://127.0.0.1:1/", "The database at 127.0.0.1:1 cannot be reached: "),
        ("mongodb://nowhere.invalid/", "The database at nowhere.invalid:27017 cannot be reached"),
        ("127.0.0.1:27017", "MONGODB_URI is not a valid connection string: "),
        ("mongodb://127.0.0.1:port/", "MONGODB_URI is not a valid connection string: "),
        ("mongodb://127.0.0.1/?tlsCAFile=/nowhere&tls=true", "not a valid connection string: "),
    ],
)
def test_wrong_address_is_refused(uri, expected):
    assert expected in refused(uri)


def test_embedded_server_is_suitable(settings):
    assert suitability.check(settings.uri, settings.database)
