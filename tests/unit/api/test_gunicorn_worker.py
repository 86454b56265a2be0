"""What our worker process of gunicorn does otherwise than gunicorn's own."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import ThreadWorker

from routes.http import gunicorn_worker, requests
from services.files import registry, uploads


class Connection:
    """Keeps what is sent, packet by packet."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.packets.append(data)


@pytest.fixture
def reply():
    request = SimpleNamespace(method="GET", version=(1, 1), should_close=lambda: False)
    return wsgi.Response(request, Connection(), Config())


def test_gunicorn_makes_our_replies(reply):
    assert isinstance(reply, gunicorn_worker.Reply)


def test_headers_leave_with_the_first_of_the_body(reply):
    reply.start_response("200 OK", [("Content-Length", "6")])
    reply.write(b"abc")
    reply.write(b"def")
    first, second = reply.sock.packets
    head, _, body = first.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (body, second) == (b"abc", b"def")


def test_chunks_are_framed_from_the_first_on(reply):
    reply.start_response("200 OK", [])
    reply.write(b"abc")
    reply.write(b"def")
    reply.close()
    body = b"".join(reply.sock.packets).partition(b"\r\n\r\n")[2]
    assert body == b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"


def test_reply_without_a_body_is_its_headers(reply):
    reply.start_response("204 No Content", [])
    reply.close()
    assert [packet[-4:] for packet in reply.sock.packets] == [b"\r\n\r\n"]


def test_connection_that_breaks_is_the_servers_to_handle(reply):
    def broken(data: bytes) -> None:
        raise BrokenPipeError

    reply.sock.sendall = broken
    reply.start_response("200 OK", [("Content-Length", "3")])
    with pytest.raises(BrokenPipeError):
        reply.write(b"abc")


def test_bodies_are_read_as_they_are_received():
    """What lies ahead of a read is copied at each one."""
    sizes = {
        requests.BLOCK,
        registry.READ_CHUNK_BYTES,
        uploads.UPLOAD_CHUNK_BYTES,
        SocketUnreader.max_body_chunk,
    }
    assert sizes == {gunicorn_worker.BLOCK}


@pytest.fixture
def served(monkeypatch):
    """A worker with one connection, on which the next request has come; how often it is handled."""
    handled = []

    def handle(self, conn):
        handled.append(conn.sock.recv(1))
        return True

    monkeypatch.setattr(ThreadWorker, "handle", handle)
    made = object.__new__(gunicorn_worker.Worker)
    made.alive, made.nr_conns, made.cfg = True, 1, SimpleNamespace(threads=1)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"123")
        yield made, SimpleNamespace(sock=ours), handled


def test_thread_stays_with_a_connection_on_which_more_is_asked(served):
    made, conn, handled = served
    assert made.handle(conn) is True  # handed back: nothing comes any more
    assert handled == [b"1", b"2", b"3"]


@pytest.mark.parametrize("case", [{"nr_conns": 2}, {"alive": False}])
def test_thread_goes_where_others_wait_or_the_worker_is_to_end(served, case):
    made, conn, handled = served
    vars(made).update(case)
    assert made.handle(conn) is True
    assert handled == [b"1"]


@pytest.fixture
def asked():
    made = object.__new__(gunicorn_worker.Worker)
    made.alive, made.method_queue = True, SimpleNamespace(defer=lambda _: None)
    return made


def test_worker_asked_to_end_finishes_and_tells_who_waits(monkeypatch, asked):
    stopping = threading.Event()
    monkeypatch.setitem(sys.modules, "routes.http.streams", SimpleNamespace(STOPPING=stopping))
    asked.wsgi = lambda environ, start: []
    asked.handle_exit(signal.SIGTERM, None)
    assert not asked.alive
    assert stopping.is_set()


def test_worker_asked_to_end_before_it_served_anybody_ends_at_once(asked):
    with pytest.raises(SystemExit) as ended:
        asked.handle_exit(signal.SIGTERM, None)
    assert ended.value.code == 0
