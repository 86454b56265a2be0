"""The fork server when it fails."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket

import pytest

from services.engine import fork_server
from services.engine.fork_server import MAX_FAILURES_IN_A_ROW, ForkServer, ForkServerFailed
from services.host import processes
from tests.helpers.waiting import until


@pytest.fixture
def server(settings):
    ours, theirs = socket.socketpair()
    settings = dataclasses.replace(settings, run_variables=("PYTHONHOME",))
    with ours, theirs:
        server = ForkServer(settings, theirs)
        yield server
        server.stop()


def test_start_that_fails_repeatedly_is_reported_and_still_retried(server, monkeypatch):
    monkeypatch.setattr(fork_server, "BACK_OFF_S", (0.0,))
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONHOME", "/nonexistent")
        failure = until(lambda: server.ensure_ready() or server.take_failure())
        assert str(failure) == (
            f"The fork server exited with code 1, {MAX_FAILURES_IN_A_ROW + 1} times in a row."
        )
        assert failure.code == "system_error"
        assert failure.hint == "The log of the runner contains the error."
        assert server.take_failure() is None
        assert until(lambda: server.ensure_ready() or server.take_failure()) != failure
    assert until(server.ensure_ready)


def test_order_without_an_answer_is_reported(server):
    until(server.ensure_ready)
    process = next(p for p in processes.descendants(os.getpid()) if p.pid == server.pid)
    lock, other = os.pipe()
    processes.send(process, signal.SIGKILL)
    with pytest.raises(ForkServerFailed, match="The fork server failed: "):
        server.send_order(None, lock)
    os.close(lock)
    os.close(other)
    assert until(server.ensure_ready)
