"""The process that starts runs, when it does not want to."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from services.engine import fork_server
from services.engine.fork_server import TOO_OFTEN, Nursery, NurseryFailed
from services.host import processes
from tests.helpers.waiting import until


@pytest.fixture
def starting(settings):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made = Nursery(settings, theirs)
        yield made
        made.stop()


def test_start_that_fails_again_and_again_is_told_and_still_tried(starting, monkeypatch):
    monkeypatch.setattr(fork_server, "BACK_OFF", (0.0,))
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONHOME", "/nonexistent")
        words = until(lambda: starting.ready() or starting.trouble())
        assert words == (
            f"The process that starts runs ended with code 1, {TOO_OFTEN + 1} times in a row."
            " Its last words are in the log of the runner."
        )
        assert not starting.trouble()
        assert until(lambda: starting.ready() or starting.trouble()) != words
    assert until(starting.ready)


def test_order_that_gets_no_answer_is_told(starting):
    until(starting.ready)
    process = next(p for p in processes.descendants(os.getpid()) if p.pid == starting.pid)
    lock, other = os.pipe()
    processes.send(process, signal.SIGKILL)
    with pytest.raises(NurseryFailed, match="The process that starts runs failed"):
        starting.order(None, lock)
    os.close(lock)
    os.close(other)
    assert until(starting.ready)
