"""Snakemake's records of files, read and written as Snakemake does."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.persistence.file import FilePersistence

from services.engine.snakemake_metadata import MADE, UNFINISHED, distrust, made

NAMES = [
    "results/all.txt",
    "grüße/<b>.txt",
    f"results/{'long/' * 60}a.txt",
    "x" * 190 + "/y",
]
APART = {"inputs", ".rundesk"}


def place(folder: Path, kind: Path, name: str) -> Path:
    """Where Snakemake keeps the record of a file."""
    longest = SimpleNamespace(_fetch_max_len=lambda subject: os.pathconf(subject, "PC_NAME_MAX"))
    (folder / kind).mkdir(parents=True, exist_ok=True)
    return Path(FilePersistence._record_path(longest, str(folder / kind), name))


def write(folder: Path, name: str, *, recorded: bool = False) -> Path:
    """A file, and Snakemake's word that it was made."""
    file = folder / name
    for path in (file, *([place(folder, MADE, name)] if recorded else [])):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return file


def marked(folder: Path, name: str) -> bool:
    return place(folder, UNFINISHED, name).exists()


@pytest.mark.parametrize("name", NAMES)
def test_what_was_not_written_down_is_marked_where_snakemake_looks(tmp_path, name):
    write(tmp_path, name)
    distrust(tmp_path, APART)
    distrust(tmp_path, APART)
    assert place(tmp_path, UNFINISHED, name).read_text() == '{"external_jobid": null}'


@pytest.mark.parametrize("name", NAMES)
def test_what_was_made_is_known_and_trusted(tmp_path, name):
    assert made(tmp_path) == {}
    write(tmp_path, name, recorded=True)
    (tmp_path / MADE / "no base64").touch()
    assert made(tmp_path) == {name: place(tmp_path, MADE, name).stat().st_mtime}
    distrust(tmp_path, APART)
    assert not marked(tmp_path, name)


def test_what_was_begun_anew_after_it_was_made_is_marked(tmp_path):
    file = write(tmp_path, "results/all.txt", recorded=True)
    later = place(tmp_path, MADE, "results/all.txt").stat().st_mtime + 1
    os.utime(file, (later, later))
    distrust(tmp_path, APART)
    assert marked(tmp_path, "results/all.txt")


def test_folders_are_outputs_as_well(tmp_path):
    for name in ("made", "begun"):
        write(tmp_path, f"results/{name}/part.txt")
    place(tmp_path, MADE, "results/made").write_text("{}")
    distrust(tmp_path, APART)
    assert marked(tmp_path, "results/begun")
    assert not marked(tmp_path, "results/made")
    assert not marked(tmp_path, "results/made/part.txt")


def test_inputs_and_papers_of_the_desk_are_left_out_and_nothing_else_changes(tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    write(outside, "file.txt")
    for name in ("inputs/reads/a.fastq", ".rundesk/manifest.json", "results/begun.txt"):
        write(run, name)
    (run / "results/link").symlink_to(outside)
    (run / "results" / os.fsdecode(b"\xff.txt")).touch()
    before = {path for path in tmp_path.rglob("*") if ".snakemake" not in path.parts}
    distrust(run, APART)
    assert {path for path in tmp_path.rglob("*") if ".snakemake" not in path.parts} == before
    marks = [path for path in (run / UNFINISHED).rglob("*") if path.is_file()]
    names = ("results", "results/begun.txt", "results/link")
    assert set(marks) == {place(run, UNFINISHED, name) for name in names}
