"""What is left of earlier attempts, and what of it may be trusted."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from services.engine.settling import discard_failed
from services.rundir import RunDir


@pytest.fixture
def rundir(tmp_path):
    return RunDir(tmp_path / "run")


def write(rundir: RunDir, *paths: str) -> None:
    for path in paths:
        place = rundir.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("something")


def note(rundir: RunDir, number: int, **record: Any) -> None:
    place = rundir.attempt(number).errors
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a") as file:
        file.write(json.dumps(record) + "\n")


def record_success(rundir: RunDir, path: str) -> None:
    write(rundir, f".snakemake/metadata/{urlsafe_b64encode(path.encode()).decode()}")


def test_what_a_failed_job_began_is_removed(rundir):
    write(rundir, "results/begun.txt", "results/folder/part.txt", "results/other.txt")
    note(rundir, 1, type="failed", job=1, output=["results/begun.txt"])
    note(rundir, 2, type="failed", job=2, output=["results/folder", "results/none.txt"])
    discard_failed(rundir, 2)
    assert [path.name for path in (rundir.root / "results").iterdir()] == ["other.txt"]


def test_what_a_later_try_made_stays(rundir):
    write(rundir, "results/made.txt")
    note(rundir, 1, type="failed", job=1, output=["results/made.txt"])
    record_success(rundir, "results/made.txt")
    discard_failed(rundir, 1)
    assert (rundir.root / "results/made.txt").exists()


@pytest.mark.parametrize("output", ["../other.txt", "link.txt", ".."])
def test_nothing_outside_of_the_run_is_touched(rundir, tmp_path, output):
    write(rundir, "results/some.txt")
    (tmp_path / "other.txt").write_text("not ours")
    (rundir.root / "link.txt").symlink_to(tmp_path / "other.txt")
    note(rundir, 1, type="failed", job=1, output=[output])
    discard_failed(rundir, 1)
    assert (tmp_path / "other.txt").read_text() == "not ours"
    assert (rundir.root / "results/some.txt").exists()
