"""The API server itself: invalid requests, disconnected streams, reload."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import signal
import socket
import threading

import psutil
import pytest

from routes.http import streams
from services.access.actors import local_actor
from services.models import RunRequest
from tests.helpers.api import open_desk
from tests.helpers.processes import serving
from tests.helpers.waiting import free_port, until


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    with open_desk(mongod, folder, api_port=free_port()) as services:
        yield services


@pytest.fixture(scope="module")
def api(desk, tmp_path_factory):
    with serving(desk.settings, tmp_path_factory.mktemp("logs"), "api") as servers:
        yield servers


def connect(desk):
    return socket.create_connection(("127.0.0.1", desk.settings.api_port), timeout=30)


def say(desk, sent):
    """Send bytes. Return the response up to the end of the connection."""
    with connect(desk) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


LINE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
INVALID_REQUESTS = {
    "garbage": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 40000),
    "two words": (b"GET /\r\n\r\n", 40000),
    "another version": (b"GET / HTTP/9.9\r\n\r\n", 40000),
    "a method in small letters": (b"get# / HTTP/1.1\r\n\r\n", 40000),
    "an address too long": (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 41400),
    "a header too long": (LINE + b"X: " + b"x" * 10_000 + b"\r\n\r\n", 43100),
    "too many headers": (
        LINE + b"".join(b"X%d: y\r\n" % n for n in range(200)) + b"\r\n",
        43100,
    ),
    "no colon": (LINE + b"nothing\r\n\r\n", 40000),
    "a space before the colon": (LINE + b"X : y\r\n\r\n", 40000),
    "a folded header": (LINE + b"X: y\r\n z\r\n\r\n", 40000),
    "NUL in a header": (LINE + b"X: a\0b\r\n\r\n", 40000),
    "two lengths": (LINE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 40000),
    "a length that is none": (LINE + b"Content-Length: -1\r\n\r\n", 40000),
    "a length and chunks": (
        LINE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        40000,
    ),
    "an unknown coding": (LINE + b"Transfer-Encoding: sealed\r\n\r\n", 50100),
    "an unknown expectation": (LINE + b"Expect: wonders\r\n\r\n", 41700),
}


@pytest.mark.parametrize(("sent", "number"), INVALID_REQUESTS.values(), ids=INVALID_REQUESTS)
def test_invalid_request_gets_the_envelope(desk, api, sent, number):
    head, _, body = say(desk, sent).partition(b"\r\n\r\n")
    envelope = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % (number // 100))
    assert list(envelope) == ["errCode", "data", "msg", "requestId"]
    assert (envelope["errCode"], envelope["data"]) == (number, None)
    assert f"X-Request-Id: {envelope['requestId']}".encode() in head
    assert b"Content-Type: application/json" in head
    assert b"X-Content-Type-Options: nosniff" in head
    assert envelope["requestId"] in api.log("api")


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO"])
@pytest.mark.parametrize("value", ["/x", "/api", "/healthz", ""])
def test_header_that_names_the_path_has_no_effect(desk, api, name, value):
    line = b"GET /api/v1/me HTTP/1.0\r\nHost: localhost\r\n"
    head, _, body = say(desk, line + f"{name}: {value}\r\n\r\n".encode()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 "), body


def test_url_with_the_maximum_number_of_runs_is_not_too_long(desk, api):
    ids = ",".join(["0" * 24] * 200)
    reply = say(
        desk, f"GET /api/v1/results.zip?run={ids} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
    )
    assert reply.startswith(b"HTTP/1.0 404 ")


def follow(desk, run):
    """Return a connection that receives the events of a run, after the first; None if busy."""
    connection = connect(desk)
    address = f"/api/v1/runs/{run.id}/events"
    connection.sendall(f"GET {address} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    come = b""
    while b"event: state" not in come:
        block = connection.recv(65536)
        if not block or b" 503 " in block[:20]:
            connection.close()
            return None
        come += block
    return connection


@pytest.fixture
def waiting(desk):
    return desk.runs.submit(local_actor(), RunRequest(workflow="demo", example=True))


def test_stream_is_released_when_its_client_disconnects(desk, api, waiting):
    with contextlib.ExitStack() as followers:
        taken = 0
        while (connection := follow(desk, waiting)) is not None:
            followers.enter_context(connection)
            taken += 1
    assert streams.MAX_STREAMS <= taken <= 2 * streams.MAX_STREAMS  # of one process, or of both
    with until(lambda: follow(desk, waiting)):
        pass


def test_streams_of_many_clients_hold_no_threads_and_end_with_their_run(desk, api, waiting):
    with contextlib.ExitStack() as stack:
        followers = [stack.enter_context(follow(desk, waiting)) for _ in range(40)]
        threads = sum(process.num_threads() for process in api.processes("api"))
        assert threads < 40
        desk.runs.cancel(local_actor(), waiting.id)
        for connection in followers:
            rest = b""
            while block := connection.recv(65536):
                rest += block
            assert b'"state": "CANCELED"' in rest
            assert rest.endswith(b"\r\n0\r\n\r\n")


class Hammer(threading.Thread):
    """Sends requests without a pause on one connection."""

    def __init__(self, port, done):
        super().__init__()
        self._port, self._done = port, done
        self.answers, self.failures = 0, []

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._done.is_set():
            try:
                connection.request("GET", "/api/v1/runs?limit=1")
                reply = connection.getresponse()
                reply.read()
                assert reply.status == 200
                self.answers += 1
                if self.answers % 7 == 0:
                    connection.close()
            except Exception as error:
                self.failures.append(repr(error))
                connection.close()
        connection.close()


@pytest.fixture
def search(desk):
    """A search that stays queued."""
    return desk.searches.submit(
        local_actor(), ">q\nMKTAYIAKQRQISFVKSHFSRQ\n", "swissprot_subset", {}
    )


def test_reload_drops_no_request(desk, api, waiting, search):
    master, *old = api.processes("api")
    done = threading.Event()
    hammers = [Hammer(desk.settings.api_port, done) for _ in range(3)]
    follower = until(lambda: follow(desk, waiting))
    uploading = connect(desk)
    uploading.sendall(
        b"POST /api/v1/files?name=slow.txt HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: text/plain\r\nContent-Length: 8\r\n\r\nhalf"
    )
    incoming = desk.settings.data / "files" / "incoming"
    until(lambda: any(incoming.glob("*")))
    held = connect(desk)  # waits for the search
    held.sendall(
        f"GET /Blast.cgi?CMD=Get&RID={search.id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    )
    for hammer in hammers:
        hammer.start()
    until(lambda: all(hammer.answers > 20 for hammer in hammers))

    master.send_signal(signal.SIGHUP)
    workers = {one.pid for one in old}
    until(lambda: len({one.pid for one in master.children()} - workers) == 2)
    with follower:  # the stream ends properly, so that its browser reconnects
        rest = b"".join(iter(lambda: follower.recv(65536), b""))
    assert rest.endswith(b"0\r\n\r\n")
    with held:
        page = b"".join(iter(lambda: held.recv(65536), b""))
    assert page.startswith(b"HTTP/1.1 200 ")
    assert b"Status=WAITING" in page
    uploading.sendall(b"half")
    with uploading:
        assert uploading.recv(65536).startswith(b"HTTP/1.1 201 ")
    until(lambda: not any(_alive(one) for one in old))
    reached = [hammer.answers for hammer in hammers]
    until(lambda: all(h.answers > n + 20 for h, n in zip(hammers, reached, strict=True)))
    done.set()
    for hammer in hammers:
        hammer.join()
        assert hammer.failures == []
    assert "Traceback" not in api.log("api")


def test_workers_stop_with_their_master_even_while_they_import(desk, tmp_path):
    settings = dataclasses.replace(desk.settings, api_port=free_port())
    with serving(settings, tmp_path) as servers:
        for start in (servers.start, servers.begin):  # when they serve, and when they import
            start("api")
            master = servers.processes("api")[0]
            workers = until(lambda master=master: len(found := master.children()) == 2 and found)
            servers.stop("api", signal.SIGKILL)
            until(lambda workers=workers: not any(_alive(one) for one in workers))


def _alive(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
