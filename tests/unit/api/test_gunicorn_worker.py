"""Our gunicorn worker: what it does differently from gunicorn's own."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from types import SimpleNamespace

import pytest
from gunicorn.workers.gthread import ThreadWorker

from routes.http import gunicorn_worker, requests
from routes.http.slow_clients import ClientSocket
from services.files import registry, uploads


def test_bodies_are_read_in_the_chunks_in_which_they_are_received():
    """What is read ahead is copied at each read."""
    assert requests.READ_CHUNK_BYTES == gunicorn_worker.MAX_RECV_BYTES
    assert {registry.READ_CHUNK_BYTES, uploads.UPLOAD_CHUNK_BYTES} == {
        gunicorn_worker.MAX_RECV_BYTES
    }


@pytest.fixture
def served(monkeypatch):
    """A worker, a connection with three bytes waiting, and the bytes that it has handled."""
    handled = []

    def handle(self, conn):
        handled.append(conn.sock.recv(1))
        return True

    monkeypatch.setattr(ThreadWorker, "handle", handle)
    made = object.__new__(gunicorn_worker.Worker)
    made.alive = True
    ours, theirs = socket.socketpair()
    with ClientSocket.of(ours) as client, theirs:
        theirs.sendall(b"123")
        yield made, SimpleNamespace(sock=client), handled


def test_thread_serves_consecutive_requests_of_a_connection(served):
    made, conn, handled = served
    assert made.handle(conn) is True  # handed back: no more requests
    assert handled == [b"1", b"2", b"3"]


def test_thread_is_released_if_the_worker_stops(served):
    made, conn, handled = served
    made.alive = False
    assert made.handle(conn) is True
    assert handled == [b"1"]


@pytest.mark.parametrize(
    ("headers", "upload"),
    [
        ([], False),
        ([("CONTENT-LENGTH", "1000")], False),
        ([("CONTENT-LENGTH", "10000000")], True),
        ([("HOST", "x"), ("TRANSFER-ENCODING", "chunked")], True),
    ],
)
def test_requests_with_large_bodies_are_uploads(headers, upload):
    assert gunicorn_worker._is_upload(headers) is upload


@pytest.fixture
def stopping_worker():
    made = object.__new__(gunicorn_worker.Worker)
    made.alive, made.method_queue = True, SimpleNamespace(defer=lambda _: None)
    return made


def test_stopping_worker_ends_streams_and_finishes_requests(monkeypatch, stopping_worker):
    stopping = threading.Event()
    monkeypatch.setitem(sys.modules, "routes.http.streams", SimpleNamespace(STOPPING=stopping))
    stopping_worker.wsgi = lambda environ, start: []
    stopping_worker.handle_exit(signal.SIGTERM, None)
    assert not stopping_worker.alive
    assert stopping.is_set()


def test_worker_that_has_not_imported_the_app_stops_at_once(stopping_worker):
    with pytest.raises(SystemExit) as ended:
        stopping_worker.handle_exit(signal.SIGTERM, None)
    assert ended.value.code == 0
