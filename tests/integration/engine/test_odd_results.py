"""Results that are hard to publish: the run ends, and nothing else waits for it."""

from __future__ import annotations

import os
import secrets
import signal

import pytest
from pymongo import MongoClient

from services.access.actors import local_actor
from services.models import State
from services.rundir import RunDir
from services.settings import Settings
from tests.helpers.desk import running
from tests.helpers.waiting import until


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory):
    settings = Settings(
        data=tmp_path_factory.mktemp("desk") / "data",
        mongodb_uri=mongod,
        database=f"rundesk_test_{secrets.token_hex(6)}",
        max_runs=2,
        cores=4,
    )
    with running(settings) as found:
        yield found
    with MongoClient(mongod) as client:
        client.drop_database(settings.database)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("giant", "all results would exceed RUNDESK_MAX_OUTPUT."),
        ("loop", "it is a link in a loop."),
        ("pipe", "it is not a regular file."),
    ],
)
def test_result_that_cannot_be_published_is_left_out_and_noted(desk, what, reason):
    run = desk.finished(desk.submit("odd", what=what))
    assert run.state is State.COMPLETE, run.error
    assert desk.results(run.id) == ["results/good.txt"]
    assert run.history[-1].note.endswith(reason)


def test_result_whose_name_is_not_utf_8_is_listed(desk):
    run = desk.finished(desk.submit("odd", what="names"))
    assert run.state is State.COMPLETE, run.error
    assert set(desk.results(run.id)) == {"results/bad\ufffd.txt", "results/good.txt"}


def publishing_run(desk):
    """Return the id of a run whose results take minutes to publish, and are being published."""
    run_id = desk.submit("odd", what="large")
    until(lambda: (progress := desk.run(run_id).publishing) and progress.bytes)
    return run_id


def test_cancel_stops_publishing(desk):
    run_id = publishing_run(desk)
    progress = desk.run(run_id).publishing
    assert (progress.total_files, progress.total_bytes) == (2, 64 * 2**30 + 5)
    desk.services.runs.cancel(local_actor(), run_id)
    run = desk.finished(run_id)
    assert run.state is State.CANCELED
    assert run.publishing is None


def test_killed_publisher_is_replaced_and_no_other_run_waits(desk):
    run_id = publishing_run(desk)
    os.kill(desk.supervisor(run_id).pid, signal.SIGKILL)
    other = desk.finished(desk.submit("odd"))  # the runner works meanwhile
    assert other.state is State.COMPLETE
    large = RunDir.of(desk.settings.data, run_id).results / "large.bin"
    large.write_bytes(b"small now")
    run = desk.finished(run_id)
    assert run.state is State.COMPLETE
    assert len(run.attempts) == 1
    assert desk.results(run_id) == ["results/good.txt", "results/large.bin"]
