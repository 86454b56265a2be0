"""What supervisors have the runner tell the database."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest

from services.database import Database
from services.engine.errands import Errands, asked
from services.engine.settling import Attempt, Ended
from services.models import State
from services.rundir import RunDir
from tests.helpers.runs import NOW, add_run, claim_run

ENDED = Ended(exit_code=0, started=NOW, ended=NOW + timedelta(seconds=1))


@pytest.fixture
def errands(settings, database):
    found = Errands(settings, database)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def attempt(settings, database):
    """The first one of a run that was claimed."""
    run = add_run(database.runs)
    assert claim_run(database.queue)
    RunDir.of(settings.data, run.id).attempt(1).root.mkdir(parents=True)
    return Attempt(settings, run.id, 1)


def state(database, attempt):
    return database.runs.get(attempt.run_id, None).state


def test_end_is_recorded(errands, attempt, database):
    assert asked(errands.door, attempt, ENDED)
    run = database.runs.get(attempt.run_id, None)
    assert (run.state, run.started, run.ended) == (State.COMPLETE, ENDED.started, ENDED.ended)


def test_end_that_somebody_else_recorded_needs_no_more(errands, attempt, database):
    database.runs.end(attempt.run_id, 1, State.SYSTEM_ERROR, now=NOW)
    assert asked(errands.door, attempt, ENDED)
    assert state(database, attempt) is State.SYSTEM_ERROR


def test_database_that_does_not_answer_leaves_it_to_the_supervisor(settings, attempt, database):
    away = Database("mongodb://127.0.0.1:1/?replicaSet=rundesk", "away", patience=0.2)
    errands = Errands(settings, away)
    errands.start()
    assert not asked(errands.door, attempt, ENDED)
    errands.stop()
    away.close()
    assert state(database, attempt) is State.INITIALIZING


def test_runner_that_is_gone_leaves_it_to_the_supervisor(attempt, database):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    with theirs:
        assert not asked(theirs, attempt, ENDED)
    assert state(database, attempt) is State.INITIALIZING
