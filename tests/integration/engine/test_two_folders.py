"""Two data folders on one database: the second installation is refused, and harms nothing."""

from __future__ import annotations

import secrets
import subprocess
from dataclasses import replace

from pymongo import MongoClient

from services.host.launcher import program
from services.models import State
from services.settings import HERE, Settings
from tests.helpers.desk import environment, running


def runner_of(settings):
    """Run a runner that is expected to end; return its exit code and its error output."""
    ended = subprocess.run(
        program("services.runner"),
        cwd=HERE,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.returncode, ended.stderr


def test_second_data_folder_on_a_database_is_refused(mongod, tmp_path):
    settings = Settings(
        data=tmp_path / "first",
        mongodb_uri=mongod,
        database=f"rundesk_test_{secrets.token_hex(6)}",
        max_runs=2,
        cores=4,
    )
    with running(settings) as desk:
        first = desk.finished(desk.submit("slow", jobs=1, seconds=0))  # the database is bound
        runs = [desk.submit("slow", jobs=2, seconds=0.5) for _ in range(7)]
        code, errors = runner_of(replace(settings, data=tmp_path / "second"))
        assert code == 2
        assert "The database belongs to another data folder than " in errors
        assert "Traceback" not in errors
        ended = [first, *(desk.finished(run_id) for run_id in runs)]
    assert {(run.state, len(run.attempts)) for run in ended} == {(State.COMPLETE, 1)}
    with MongoClient(mongod) as client:
        client.drop_database(settings.database)


def test_database_that_cannot_be_used_ends_the_runner_with_a_sentence(mongod, tmp_path):
    settings = Settings(data=tmp_path / "data", mongodb_uri=f"{mongod}&w=0")
    code, errors = runner_of(settings)
    assert code == 2
    assert "sets w=0" in errors
    assert "Traceback" not in errors
