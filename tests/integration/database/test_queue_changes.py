"""The watcher of the queue is called for queued and ended runs, and for nothing else."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from services.database import Database, changes
from services.database.changes import QueueChanges
from services.database.embedded.binary import find
from services.database.embedded.mongod import Mongod
from services.models import State
from services.settings import HERE, Settings
from tests.helpers.desk import Desk, Runner
from tests.helpers.runs import NOW, add_run, claim_run
from tests.helpers.waiting import free_port, until


class Counter:
    """Counts its calls."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def changes_seen(database: Database) -> Iterator[Counter]:
    """Counts the changes of `database`; starts at 1 for the opened stream."""
    counter = Counter()
    listener = database.queue_changes(counter)
    listener.start()
    until(lambda: counter.times == 1)
    yield counter
    listener.stop()


def test_queued_run_is_seen(database, changes_seen):
    add_run(database.runs)
    until(lambda: changes_seen.times == 2)


def test_run_that_ends_is_seen_and_one_that_starts_is_not(database, changes_seen):
    run = add_run(database.runs)
    until(lambda: changes_seen.times == 2)
    claim = claim_run(database.queue)
    assert claim
    database.runs.start(run.id, claim.attempt, now=NOW)
    database.runs.report(run.id, claim.attempt, {"progress.done": 1})
    database.runs.end(run.id, claim.attempt, State.COMPLETE, now=NOW)
    until(lambda: changes_seen.times == 3)
    add_run(
        database.runs
    )  # changes arrive in order, so none of the earlier ones is missing after this one
    until(lambda: changes_seen.times >= 4)
    assert changes_seen.times == 4


def test_change_is_seen_after_the_database_was_down(tmp_path):
    server = Mongod(find("", tmp_path / "lib"), tmp_path / "db", free_port())
    server.start()
    database = Database(Settings(db_port=server.port).uri, "changes", patience=1)
    calls = Counter()
    listener = database.queue_changes(calls)
    try:
        listener.start()
        until(lambda: calls.times == 1)
        server.stop()
        server.start()
        database.wait(20)
        add_run(database.runs)
        until(lambda: calls.times >= 2)
    finally:
        listener.stop()
        database.close()
        server.stop()


class Refusing:
    """A collection on a server without change streams."""

    def __init__(self) -> None:
        self.asked = 0

    def watch(self, *args: Any, **options: Any) -> Any:
        self.asked += 1
        raise OperationFailure("The $changeStream stage is only supported on replica sets", 40573)


def test_server_without_change_streams_is_logged_once(caplog, monkeypatch):
    monkeypatch.setattr(changes, "REOPEN_INTERVAL_S", 0.01)
    refusing, calls = Refusing(), Counter()
    listener = QueueChanges(refusing, calls)
    with caplog.at_level(logging.WARNING):
        listener.start()
        until(lambda: refusing.asked > 3)
        listener.stop()
    assert len(caplog.records) == 1
    assert calls.times == 0


LISTENING_ONLY = """\
import sys, time
from services import runner
ready = runner.ForkServer.ensure_ready
def wait(fork_server):
    while not ready(fork_server):
        time.sleep(0.05)
    return True
runner.ForkServer.ensure_ready = wait
runner.DISPATCH_INTERVAL_S = 3600
sys.exit(runner.main())
"""


class Listening(Runner):
    """A runner that does not poll the queue."""

    def start(self) -> None:
        command = [sys.executable, "-c", LISTENING_ONLY]
        self._process = subprocess.Popen(command, cwd=HERE, env=self._environment)


def test_runner_starts_runs_when_the_queue_changes(own_desk: Desk):
    own_desk.runner.stop()
    runner = Listening(own_desk.settings)
    runner.start()
    try:
        for _ in range(3):
            assert own_desk.finished(own_desk.submit("pair")).state is State.COMPLETE
    finally:
        runner.stop()
