"""Snakemake's records of files, read and written as Snakemake does."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from snakemake.persistence.file import FilePersistence

from services.engine.records import MADE, UNFINISHED, made, mark_unfinished

NAMES = ["results/all.txt", "grüße/<b>.txt", f"results/{'long/' * 60}a.txt", "x" * 190 + "/y"]


def place(folder, kind, name):
    """Where Snakemake keeps the record of a file."""
    longest = SimpleNamespace(_fetch_max_len=lambda subject: os.pathconf(subject, "PC_NAME_MAX"))
    (folder / kind).mkdir(parents=True, exist_ok=True)
    return FilePersistence._record_path(longest, str(folder / kind), name)


@pytest.mark.parametrize("name", NAMES)
def test_marks_lie_where_snakemake_looks_for_them(tmp_path, name):
    mark_unfinished(tmp_path, [name])
    mark_unfinished(tmp_path, [name])
    found = [path for path in (tmp_path / UNFINISHED).rglob("*") if path.is_file()]
    assert [str(path) for path in found] == [place(tmp_path, UNFINISHED, name)]
    assert found[0].read_text() == '{"external_jobid": null}'
    assert found[0].stat().st_mode & 0o777 == 0o660


def test_made_is_what_snakemake_recorded(tmp_path):
    assert made(tmp_path) == set()
    for name in NAMES:
        record = tmp_path / place(tmp_path, MADE, name)
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text("{}")
    (tmp_path / MADE / "no base64").touch()
    assert made(tmp_path) == set(NAMES)
