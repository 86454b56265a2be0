"""The API under gunicorn while many clients are slow."""

from __future__ import annotations

import contextlib
import json
import socket

import pytest

from commands import serving
from tests.helpers.api import open_desk
from tests.helpers.processes import serving as served
from tests.helpers.waiting import free_port
from tests.integration.api.test_reload import say

SLOW = 100  # several times the threads that work
HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Half"
HEAD = b"POST /api/v1/files?name=slow.bin HTTP/1.1\r\nHost: localhost\r\n"
HALF_BODIES = {
    "upload": HEAD + b"Content-Length: 10000000\r\n\r\nxxx",
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nxx",
    "json": b"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{",
    "refused": b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\nx",
}
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    with (
        open_desk(mongod, folder, api_port=free_port()) as services,
        served(services.settings, tmp_path_factory.mktemp("logs"), "api"),
    ):
        yield services


@contextlib.contextmanager
def clients(desk, sent):
    """Open many connections that have sent a part of a request."""
    assert SLOW > serving.API_WORKERS * serving.API_THREADS
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(SLOW):
            address = ("127.0.0.1", desk.settings.api_port)
            opened.append(stack.enter_context(socket.create_connection(address, timeout=30)))
            opened[-1].sendall(sent)
        yield opened


@pytest.mark.parametrize(
    "sent", [b"", HALF_HEAD, *HALF_BODIES.values()], ids=["silent", "head", *HALF_BODIES]
)
def test_many_slow_clients_hold_up_nobody(desk, sent):
    with clients(desk, sent):
        for _ in range(20):
            assert say(desk, GET).startswith(b"HTTP/1.1 200 ")


def test_uploads_that_were_slow_are_stored(desk):
    size = 300_000  # more than a small body
    content = b"a" * size
    head = HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % size
    with clients(desk, head + content[:1000]) as opened:
        assert say(desk, GET).startswith(b"HTTP/1.1 200 ")
        for connection in opened:
            connection.sendall(content[1000:])
        for connection in opened:
            reply = b"".join(iter(lambda: connection.recv(65536), b""))  # noqa: B023
            assert reply.startswith(b"HTTP/1.1 201 "), reply


@pytest.mark.long  # the whole time limit
def test_half_a_head_is_408(desk):
    reply = say(desk, HALF_HEAD)
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["errCode"] == 40800


def test_requests_in_a_row_are_all_answered(desk):
    """Of requests that are sent at once, the later ones are read together with the first."""
    count = 50  # more than one read of the server
    line = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Padding: " + b"x" * 500 + b"\r\n\r\n"
    reply = say(desk, line * count + GET)
    assert reply.count(b"HTTP/1.1 200 OK") == count + 1
