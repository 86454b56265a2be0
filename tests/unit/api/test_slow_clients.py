"""The limits for slow clients, on real sockets."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from routes.http import slow_clients
from routes.http.slow_clients import ClientSocket, ClientTooSlow
from tests.helpers.waiting import until


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ClientSocket.of(ours) as client, theirs:
        yield client, theirs


def test_head_arrives_in_pieces(pair):
    client, theirs = pair
    assert not client.head_arrived()
    assert not client.has_begun
    theirs.sendall(b"GET / HTTP/1.1\r\n\r")
    assert not client.head_arrived()
    assert client.has_begun
    theirs.sendall(b"\nbody")
    assert client.head_arrived()
    assert client.recv(18) == b"GET / HTTP/1.1\r\n\r\n"
    assert client.recv(100) == b"body"


@pytest.mark.parametrize("sent", [b"", b"GET / HT"])
def test_head_of_a_client_that_is_gone_is_complete(pair, sent):
    client, theirs = pair
    theirs.sendall(sent)
    theirs.shutdown(socket.SHUT_WR)
    until(client.head_arrived)
    assert client.recv(100) == sent
    assert client.recv(100) == b""


def test_head_that_is_too_long_is_given_to_a_thread(pair):
    client, theirs = pair
    sender = threading.Thread(target=theirs.sendall, args=(b"x" * slow_clients.MAX_HEAD_BYTES,))
    sender.start()
    until(client.head_arrived)
    sender.join()


def test_thread_that_waits_for_its_client_gives_up_its_place(pair):
    client, theirs = pair
    places = threading.Semaphore(1)
    got = []

    def work():
        with client.working(places):
            got.append(client.recv(10))
            got.append(places.acquire(blocking=False))

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: places.acquire(blocking=False))  # the thread waits without it
    theirs.sendall(b"late")
    places.release()
    thread.join()
    assert got == [b"late", False]
    assert places.acquire(blocking=False)


@pytest.mark.parametrize("limit", ["HEAD_TIMEOUT_S", "IDLE_TIMEOUT_S", "BODY_GRACE_S"])
def test_client_that_sends_nothing_is_too_slow(pair, monkeypatch, limit):
    client, _ = pair
    monkeypatch.setattr(slow_clients, limit, 0.01)
    client.begin_head()
    if limit == "HEAD_TIMEOUT_S":
        with pytest.raises(ClientTooSlow):
            client.recv(1)
        return
    with client.working(threading.Semaphore(1)), pytest.raises(ClientTooSlow):
        client.recv(1)


def test_body_below_the_least_rate_ends_although_it_never_pauses(pair, monkeypatch):
    client, theirs = pair
    monkeypatch.setattr(slow_clients, "BODY_GRACE_S", 0.2)
    stopped = threading.Event()

    def drip():
        while not stopped.wait(0.01):
            theirs.sendall(b"x")  # 100 bytes/s

    thread = threading.Thread(target=drip)
    thread.start()
    with pytest.raises(ClientTooSlow), client.working(threading.Semaphore(1)):
        b"".join(iter(lambda: client.recv(100), b""))
    stopped.set()
    thread.join()


def test_body_above_the_least_rate_may_take_any_time(pair, monkeypatch):
    client, theirs = pair
    monkeypatch.setattr(slow_clients, "BODY_GRACE_S", 0.0)
    monkeypatch.setattr(slow_clients, "MIN_BODY_RATE", 0.001)
    with client.working(threading.Semaphore(1)):
        theirs.sendall(b"x")
        assert client.recv(1) == b"x"
        late = threading.Timer(0.05, theirs.sendall, (b"y",))
        late.start()
        assert client.recv(1) == b"y"
        late.join()


def test_reads_end_at_the_limit_for_the_whole_rest(pair):
    client, _ = pair
    with client.working(threading.Semaphore(1)):
        client.end_reading_in(0.01)
        with pytest.raises(ClientTooSlow):
            client.recv(1)


@pytest.mark.parametrize("way", ["sendall", "sendfile"])
def test_client_that_reads_nothing_is_too_slow(pair, monkeypatch, tmp_path, way):
    client, _ = pair
    monkeypatch.setattr(slow_clients, "IDLE_TIMEOUT_S", 0.05)
    content = b"x" * 2**22
    file = tmp_path / "file"
    file.write_bytes(content)
    with (
        client.working(threading.Semaphore(1)),
        file.open("rb") as opened,
        pytest.raises(ClientTooSlow),
    ):
        client.sendall(content) if way == "sendall" else client.sendfile(opened)


@pytest.mark.parametrize("way", ["sendall", "sendfile"])
def test_large_response_is_sent_whole(pair, tmp_path, way):
    client, theirs = pair
    content = bytes(range(256)) * 2**14
    file = tmp_path / "file"
    file.write_bytes(content)

    def send():
        with client.working(threading.Semaphore(1)), file.open("rb") as opened:
            client.sendall(content) if way == "sendall" else client.sendfile(opened)
        client.end()
        client.close()

    thread = threading.Thread(target=send)
    thread.start()
    assert b"".join(iter(lambda: theirs.recv(2**16), b"")) == content
    theirs.close()
    thread.join()


def test_connection_that_ends_reads_no_more(pair):
    client, theirs = pair
    theirs.sendall(b"rest")
    theirs.shutdown(socket.SHUT_WR)
    began = time.monotonic()
    client.end()
    assert time.monotonic() - began < slow_clients.LINGER_S
    assert client.recv(10) == b""
