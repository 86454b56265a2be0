"""Snakemake's records of outputs, compared with Snakemake's own implementation."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.persistence.file import FilePersistence

from services.engine.snakemake_internals import INCOMPLETE, METADATA
from services.engine.snakemake_metadata import mark_unrecorded_outputs, recorded_outputs

NAMES = [
    "results/all.txt",
    "grüße/<b>.txt",
    f"results/{'long/' * 60}a.txt",
    "x" * 190 + "/y",
]
EXCLUDED = {"inputs", ".rundesk"}


def record(folder: Path, kind: Path, name: str) -> Path:
    """Return where Snakemake keeps the record of a file."""
    longest = SimpleNamespace(_fetch_max_len=lambda subject: os.pathconf(subject, "PC_NAME_MAX"))
    (folder / kind).mkdir(parents=True, exist_ok=True)
    return Path(FilePersistence._record_path(longest, str(folder / kind), name))


def write(folder: Path, name: str, *, recorded: bool = False) -> Path:
    """Write a file and, if `recorded`, Snakemake's record that it was created."""
    file = folder / name
    for path in (file, *([record(folder, METADATA, name)] if recorded else [])):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return file


def marked(folder: Path, name: str) -> bool:
    return record(folder, INCOMPLETE, name).exists()


@pytest.mark.parametrize("name", NAMES)
def test_unrecorded_output_is_marked_where_snakemake_looks(tmp_path, name):
    write(tmp_path, name)
    mark_unrecorded_outputs(tmp_path, EXCLUDED)
    mark_unrecorded_outputs(tmp_path, EXCLUDED)
    assert record(tmp_path, INCOMPLETE, name).read_text() == '{"external_jobid": null}'


@pytest.mark.parametrize("name", NAMES)
def test_recorded_output_is_not_marked(tmp_path, name):
    assert recorded_outputs(tmp_path) == {}
    write(tmp_path, name, recorded=True)
    (tmp_path / METADATA / "no base64").touch()
    assert recorded_outputs(tmp_path) == {name: record(tmp_path, METADATA, name).stat().st_mtime}
    mark_unrecorded_outputs(tmp_path, EXCLUDED)
    assert not marked(tmp_path, name)


def test_output_changed_after_its_record_is_marked(tmp_path):
    file = write(tmp_path, "results/all.txt", recorded=True)
    later = record(tmp_path, METADATA, "results/all.txt").stat().st_mtime + 1
    os.utime(file, (later, later))
    mark_unrecorded_outputs(tmp_path, EXCLUDED)
    assert marked(tmp_path, "results/all.txt")


def test_folder_can_be_an_output(tmp_path):
    for name in ("finished", "started"):
        write(tmp_path, f"results/{name}/part.txt")
    record(tmp_path, METADATA, "results/finished").write_text("{}")
    mark_unrecorded_outputs(tmp_path, EXCLUDED)
    assert marked(tmp_path, "results/started")
    assert not marked(tmp_path, "results/finished")
    assert not marked(tmp_path, "results/finished/part.txt")


def test_inputs_and_internal_files_are_excluded_and_nothing_else_changes(tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    write(outside, "file.txt")
    for name in ("inputs/reads/a.fastq", ".rundesk/manifest.json", "results/started.txt"):
        write(run, name)
    (run / "results/link").symlink_to(outside)
    (run / "results" / os.fsdecode(b"\xff.txt")).touch()
    before = {path for path in tmp_path.rglob("*") if ".snakemake" not in path.parts}
    mark_unrecorded_outputs(run, EXCLUDED)
    assert {path for path in tmp_path.rglob("*") if ".snakemake" not in path.parts} == before
    marks = [path for path in (run / INCOMPLETE).rglob("*") if path.is_file()]
    names = ("results", "results/started.txt", "results/link")
    assert set(marks) == {record(run, INCOMPLETE, name) for name in names}
