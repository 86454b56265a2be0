"""Reading what was appended to a spool."""

from __future__ import annotations

import json

import pytest

from services.runs import previews
from services.runs.previews import SpoolReader


def append(path, *records):
    with path.open("a") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def test_read_without_a_file_has_no_records(tmp_path):
    reader = SpoolReader(tmp_path / "spool.jsonl")
    reader.read()
    assert reader.latest == {}


def test_read_parses_each_line_once(tmp_path, monkeypatch):
    path = tmp_path / "spool.jsonl"
    lines, parse = [], json.loads

    def loads(line):
        lines.append(line)
        return parse(line)

    monkeypatch.setattr(previews.json, "loads", loads)
    reader = SpoolReader(path)
    for number in range(3):
        append(path, {"type": "started", "job": number})
        reader.read()
        reader.read()
    assert len(lines) == 3
    assert reader.latest == {"started": {"type": "started", "job": 2}}


def test_read_waits_for_the_end_of_a_line(tmp_path):
    path = tmp_path / "spool.jsonl"
    reader = SpoolReader(path)
    path.write_text('{"type": "graph"}\n{"type": "pl')
    reader.read()
    assert set(reader.latest) == {"graph"}
    with path.open("a") as file:
        file.write('an"}\n')
    reader.read()
    assert set(reader.latest) == {"graph", "plan"}


@pytest.mark.parametrize("line", ["no JSON\n", "7\n"])
def test_read_skips_a_line_that_is_not_a_record(tmp_path, line):
    path = tmp_path / "spool.jsonl"
    path.write_text(line)
    append(path, {"type": "plan"})
    reader = SpoolReader(path)
    reader.read()
    assert set(reader.latest) == {"plan"}


def test_read_starts_over_when_the_file_was_cut_back(tmp_path):
    path = tmp_path / "spool.jsonl"
    reader = SpoolReader(path)
    append(path, {"type": "started", "job": 1}, {"type": "started", "job": 2})
    reader.read()
    path.write_text("")
    append(path, {"type": "plan"})
    reader.read()
    assert set(reader.latest) == {"started", "plan"}
