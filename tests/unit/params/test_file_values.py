"""Files that parameters name, in lists, objects and rows."""

from __future__ import annotations

import pytest

from services.files import contents
from services.params import file_values
from services.params.file_values import FileValue

FASTQ = {"type": "string", "format": "file-path", "pattern": r"\.fastq$", "contents": "fastq"}
PLAIN = {"type": "string", "format": "file-path"}
SCHEMA = {
    "properties": {
        "reads": {"type": "array", "items": FASTQ},
        "genome": PLAIN,
        "tool": {"type": "string"},
        "aligner": {"type": "object", "properties": {"index": PLAIN, "threads": {}}},
        "panels": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {}, "bed": PLAIN}},
        },
        "samples": {
            **PLAIN,
            "rows": {"properties": {"sample": {"type": "string"}, "fastq_1": FASTQ}},
        },
    }
}
GIVEN = {
    "reads": ["1", "2"],
    "genome": "3",
    "tool": "a",
    "aligner": {"index": "4", "threads": 2},
    "panels": [{"name": "p"}, {"name": "q", "bed": "5"}],
    "samples": [{"sample": "s", "fastq_1": "6"}],
}
PATHS = ["reads.0", "reads.1", "genome", "aligner.index", "panels.1.bed", "samples.0.fastq_1"]


def test_file_values_finds_files_in_lists_objects_and_rows():
    found = list(file_values.file_values(SCHEMA, GIVEN))
    assert [value.dotted_path for value in found] == PATHS
    assert [value.value for value in found] == ["1", "2", "3", "4", "5", "6"]
    assert {value.dotted_path for value in found if value.pattern} == {
        "reads.0",
        "reads.1",
        "samples.0.fastq_1",
    }
    assert found[-2].names == ["panels", "bed"]


def test_file_values_of_a_sheet_that_is_registered_is_the_sheet():
    (sheet,) = file_values.file_values(SCHEMA, {"samples": "7"})
    assert (sheet.dotted_path, sheet.value, sheet.pattern) == ("samples", "7", None)


@pytest.mark.parametrize(
    "given", [{}, {"genome": ""}, {"genome": 1}, {"aligner": "x"}, {"panels": {"bed": "1"}}]
)
def test_file_values_passes_over_what_names_no_file(given):
    assert list(file_values.file_values(SCHEMA, given)) == []


def test_with_file_and_put_change_the_same_value():
    for value in file_values.file_values(SCHEMA, GIVEN):
        changed = file_values.with_file(GIVEN, value, "new")
        (found,) = (v for v in file_values.file_values(SCHEMA, changed) if v.path == value.path)
        assert found.value == "new"
        assert changed != GIVEN
        file_values.put(changed, value.dotted_path, value.value)
        assert changed == GIVEN


def test_put_names_with_dots_are_distinguished():
    given = {"a": {"b": "1"}, "a.b": "2", "list": [str(number) for number in range(11)]}
    file_values.put(given, "a.b", "new")
    file_values.put(given, "list.10", "last")
    assert given["a.b"] == "new"
    assert given["a"] == {"b": "1"}
    assert given["list"][1::9] == ["1", "last"]


def test_is_at_compares_the_same_path():
    defaults = {"aligner": {"index": "resources/index"}, "samples": "config/samples.tsv"}
    own = FileValue(("aligner", "index"), "resources/index")
    assert file_values.is_at(defaults, own)
    assert not file_values.is_at(defaults, FileValue(("genome",), "resources/index"))
    assert not file_values.is_at(defaults, FileValue(("samples", 0, "fastq_1"), "c"))


def test_asks_finds_contents_in_nested_schemas():
    within = {"type": "array", "items": {"type": "object", "properties": {"reads": FASTQ}}}
    assert contents.is_needed({"properties": {"lanes": within}})
    assert not contents.is_needed({"properties": {"lanes": {"type": "array", "items": PLAIN}}})
