"""The queue tells of its changes, and nothing else wakes who listens."""

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


class Heard:
    """Counts calls."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def heard(database: Database) -> Iterator[Heard]:
    """What a listener to `database` hears; it has heard once that the stream is open."""
    found = Heard()
    listener = database.queue_changes(found)
    listener.start()
    until(lambda: found.times == 1)
    yield found
    listener.stop()


def test_queued_run_is_heard(database, heard):
    add_run(database.runs)
    until(lambda: heard.times == 2)


def test_run_that_ends_is_heard_and_one_that_goes_on_is_not(database, heard):
    run = add_run(database.runs)
    until(lambda: heard.times == 2)
    claim = claim_run(database.queue)
    assert claim
    database.runs.transition(run.id, State.RUNNING, attempt=claim.attempt, now=NOW)
    database.runs.report(run.id, claim.attempt, {"progress.done": 1})
    database.runs.transition(run.id, State.COMPLETE, attempt=claim.attempt, now=NOW)
    until(lambda: heard.times == 3)
    add_run(database.runs)  # changes come in order: after this one no earlier is missing
    until(lambda: heard.times >= 4)
    assert heard.times == 4


def test_change_is_heard_after_the_database_was_away(tmp_path):
    server = Mongod(find("", tmp_path / "lib"), tmp_path / "db", free_port())
    server.start()
    database = Database(Settings(db_port=server.port).uri, "changes", patience=1)
    heard = Heard()
    listener = database.queue_changes(heard)
    try:
        listener.start()
        until(lambda: heard.times == 1)
        server.stop()
        server.start()
        database.wait(20)
        add_run(database.runs)
        until(lambda: heard.times >= 2)
    finally:
        listener.stop()
        database.close()
        server.stop()


class Refusing:
    """A collection of a server that offers no change streams."""

    def __init__(self) -> None:
        self.asked = 0

    def watch(self, *args: Any, **options: Any) -> Any:
        self.asked += 1
        raise OperationFailure("The $changeStream stage is only supported on replica sets", 40573)


def test_server_without_change_streams_is_told_once(caplog, monkeypatch):
    monkeypatch.setattr(changes, "RETRY", 0.01)
    refusing, heard = Refusing(), Heard()
    listener = QueueChanges(refusing, heard)
    with caplog.at_level(logging.WARNING):
        listener.start()
        until(lambda: refusing.asked > 3)
        listener.stop()
    assert len(caplog.records) == 1
    assert heard.times == 0


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
    """A runner that hardly ever looks at the queue by itself."""

    def start(self) -> None:
        command = [sys.executable, "-c", LISTENING_ONLY]
        self._process = subprocess.Popen(command, cwd=HERE, env=self._environment)


def test_runner_starts_runs_when_it_hears_of_them(own_desk: Desk):
    own_desk.runner.stop()
    runner = Listening(own_desk.settings)
    runner.start()
    try:
        for _ in range(3):
            assert own_desk.finished(own_desk.submit("pair")).state is State.COMPLETE
    finally:
        runner.stop()
