"""The API under gunicorn: chunked, large and incomplete bodies, and a missing database."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from pymongo import MongoClient

from services.database.embedded.binary import find
from services.database.embedded.mongod import Mongod
from services.settings import HERE, Settings
from tests.helpers.api import open_desk
from tests.helpers.desk import environment
from tests.helpers.processes import COMMANDS
from tests.helpers.waiting import free_port, until

MIB = 2**20


@dataclass
class Server:
    """The API as the Procfile starts it, with or without a database."""

    settings: Settings
    process: psutil.Popen

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """Send a request. Return status, JSON and headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.api_port, timeout=20)
        try:
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read()), reply.headers
        finally:
            connection.close()

    def say(self, *parts: bytes) -> bytes:
        """Send bytes, then end of stream. Return the response."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.settings.api_port), timeout=20)

    def answers(self) -> bool:
        assert self.process.poll() is None
        try:
            return self.ask("GET", "/apidocs/openapi.json")[0] == 200
        except OSError:
            return False

    def memory(self) -> int:
        """Return the resident bytes of all its processes."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(one.memory_info().rss for one in family)

    def stored(self) -> set[Path]:
        found = (self.settings.data / "files").rglob("*")
        return {path for path in found if path.is_file() and path.name != "lock"}


@contextlib.contextmanager
def started(settings: Settings, log: Path) -> Iterator[Server]:
    with log.open("wb") as output:
        process = psutil.Popen(
            COMMANDS["api"],
            cwd=HERE,
            env=environment(settings),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(settings, process)
    try:
        until(server.answers)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def server(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with (
        open_desk(mongod, folder, api_port=free_port()) as services,
        started(services.settings, folder / "api.log") as running,
    ):
        yield running


@pytest.fixture
def nothing_left(server):
    """Check that the test stores no file, no run and nothing on disk."""

    def all_there():
        lists = [server.ask("GET", f"/api/v1/{name}")[1]["data"] for name in ("files", "runs")]
        return server.stored(), lists

    before = all_there()
    yield
    assert all_there() == before


def blocks(count, block=b" " * MIB):
    for _ in range(count):
        yield block


def test_json_of_100_mb_is_413_at_once_in_flat_memory(server, nothing_left):
    before, began = server.memory(), time.monotonic()
    for headers in ({"Content_Length": str(100 * MIB)}, {}):  # without: chunked
        status, body, _ = server.ask(
            "POST", "/api/v1/runs", blocks(100), Content_Type="application/json", **headers
        )
        assert (status, body["errCode"]) == (413, 41300)
        assert body["data"]["problems"][0]["field"] == "body"
    assert time.monotonic() - began < 10
    assert server.memory() - before < 32 * MIB


def test_json_in_chunks_is_read_whole(server, nothing_left):
    text = b'{"workflow": "none", "params": {}, "name": "' + b"x" * 150 + b'"}'
    parts = (text[n : n + 7] for n in range(0, len(text), 7))
    status, body, _ = server.ask("POST", "/api/v1/runs", parts, Content_Type="application/json")
    assert status == 400
    assert body["data"]["problems"][0]["field"] == "workflow"


def head(method, path, *lines):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


RAW = "/api/v1/files?name=cut.fa"
FORM = "Content-Type: multipart/form-data; boundary=B"
PART = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.fa"\r\n\r\n'
CUT = {
    "raw": (head("POST", RAW, "Content-Length: 3000000"), b"x" * 2_000_000),
    "raw, nothing of it": (head("POST", RAW, "Content-Length: 3000000"),),
    "chunked": (head("POST", RAW, "Transfer-Encoding: chunked"), b"186A0\r\n" + b"x" * 50_000),
    "chunked, between chunks": (head("POST", RAW, "Transfer-Encoding: chunked"), b"3\r\nabc\r\n"),
    "chunked, no number": (head("POST", RAW, "Transfer-Encoding: chunked"), b"zz\r\nabc\r\n"),
    "form": (head("POST", "/api/v1/files", FORM, "Content-Length: 3000000"), PART + b"x" * 900_000),
    "chunked form": (
        head("POST", "/api/v1/files", FORM, "Transfer-Encoding: chunked"),
        b"%x\r\n" % (len(PART) + 4) + PART + b"ACGT\r\n",
    ),
    "json": (
        head("POST", "/api/v1/runs", "Content-Type: application/json", "Content-Length: 100"),
        b'{"workflow": "demo", "example": true}',
    ),
}


@pytest.mark.parametrize("parts", CUT.values(), ids=CUT)
def test_body_cut_in_the_middle_is_400_and_leaves_nothing(server, nothing_left, parts):
    reply = server.say(*parts)
    assert reply.startswith(b"HTTP/1.1 400 "), reply
    body = json.loads(reply.partition(b"\r\n\r\n")[2])
    assert body["data"]["problems"][0]["field"] == "body"


def test_client_that_disconnects_leaves_nothing(server, nothing_left):
    with server.connect() as connection:
        connection.sendall(head("POST", RAW, "Content-Length: 3000000") + b"x" * 2_000_000)
        incoming = server.settings.data / "files" / "incoming"
        until(lambda: incoming.exists() and any(incoming.iterdir()))
    until(lambda: not any(incoming.iterdir()))


@pytest.mark.parametrize("way", ["length", "chunked", "form"])
def test_large_upload_streams_in_flat_memory(server, way):
    size, before = 100, server.memory()
    block = os.urandom(MIB)
    if way == "form":
        parts = [PART, *blocks(size, block), b"\r\n--B--\r\n"]
        length = len(PART) + size * MIB + len(b"\r\n--B--\r\n")
        sent = (
            "/api/v1/files",
            {
                "Content_Type": "multipart/form-data; boundary=B",
                "Content_Length": str(length),
            },
        )
    else:
        parts = list(blocks(size, block))
        headers = {"Content_Length": str(size * MIB)} if way == "length" else {}
        sent = "/api/v1/files?name=large.bin", headers
    peak = before

    def watched():
        nonlocal peak
        for part in parts:
            yield part
            peak = max(peak, server.memory())

    status, body, _ = server.ask("POST", sent[0], watched(), **sent[1])
    assert status == 201, body
    assert body["data"]["size"] == size * MIB
    assert peak - before < 32 * MIB
    assert server.ask("DELETE", f"/api/v1/files/{body['data']['id']}")[0] == 200


def test_api_without_a_database_responds_503_until_it_is_available(tmp_path):
    settings = Settings(data=tmp_path, api_port=free_port(), db_port=free_port())
    with started(settings, tmp_path / "api.log") as server:
        for path in ("/healthz", "/api/v1/runs"):
            began = time.monotonic()
            status, body, headers = server.ask("GET", path)
            assert (status, body["errCode"]) == (503, 50300)
            assert int(headers["Retry-After"]) >= 1
            assert time.monotonic() - began < 10
        database = Mongod(
            find(os.environ.get("MONGOD", ""), tmp_path / "lib"), tmp_path / "db", settings.db_port
        )
        database.start()
        try:
            until(lambda: server.ask("GET", "/healthz")[0] == 200)
            with MongoClient(settings.uri) as client:
                until(lambda: client[settings.database].runs.index_information())
        finally:
            database.stop()
