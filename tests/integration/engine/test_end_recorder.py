"""Ends of attempts that the runner records for supervisors."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest

from services.database import Database
from services.engine.end_recorder import EndRecorder, record_via_runner
from services.engine.settling import AttemptTarget, ExitRecord
from services.models import State
from services.rundir import RunDir
from tests.helpers.runs import NOW, add_run, claim_run

RECORD = ExitRecord(exit_code=0, started=NOW, ended=NOW + timedelta(seconds=1))


@pytest.fixture
def recorder(settings, database):
    recorder = EndRecorder(settings, database)
    recorder.start()
    yield recorder
    recorder.stop()


@pytest.fixture
def attempt(settings, database):
    """The first attempt of a claimed run."""
    run = add_run(database.runs)
    assert claim_run(database.queue)
    RunDir.of(settings.data, run.id).attempt(1).root.mkdir(parents=True)
    return AttemptTarget(settings, run.id, 1)


def state(database, attempt):
    return database.runs.get(attempt.run_id, None).state


def test_end_is_recorded(recorder, attempt, database):
    assert record_via_runner(recorder.runner_socket, attempt, RECORD)
    run = database.runs.get(attempt.run_id, None)
    assert (run.state, run.started, run.ended) == (State.COMPLETE, RECORD.started, RECORD.ended)


def test_end_that_another_process_recorded_is_confirmed(recorder, attempt, database):
    database.runs.end(attempt.run_id, 1, State.SYSTEM_ERROR, now=NOW)
    assert record_via_runner(recorder.runner_socket, attempt, RECORD)
    assert state(database, attempt) is State.SYSTEM_ERROR


def test_unavailable_database_leaves_the_end_to_the_supervisor(settings, attempt, database):
    away = Database("mongodb://127.0.0.1:1/?replicaSet=rundesk", "away", patience=0.2)
    recorder = EndRecorder(settings, away)
    recorder.start()
    assert not record_via_runner(recorder.runner_socket, attempt, RECORD)
    recorder.stop()
    away.close()
    assert state(database, attempt) is State.INITIALIZING


def test_dead_runner_leaves_the_end_to_the_supervisor(attempt, database):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    with theirs:
        assert not record_via_runner(theirs, attempt, RECORD)
    assert state(database, attempt) is State.INITIALIZING
