"""Tables of text as programs write them: encodings, delimiters, decimal commas, lines above."""

from __future__ import annotations

import pytest

from services import sheets
from services.errors import Invalid
from services.sheets.metadata import read_metadata

SAMPLES = {
    "required": ["id", "file"],
    "properties": {
        "id": {"type": "string", "unique": True, "aliases": ["样品编号", "樣品編號", "Probe"]},
        "file": {"type": "string", "aliases": ["文件", "檔案", "Datei"]},
        "group": {"type": ["string", "number"], "aliases": ["分组", "Gruppe"]},
        "volume": {"type": "number", "aliases": ["Volumen (µL)"]},
        "replicate": {"type": "integer"},
    },
}


def read(text, encoding="utf-8"):
    return sheets.read(text if isinstance(text, bytes) else text.encode(encoding), SAMPLES)


def messages(sheet):
    return [issue.message for issue in sheet.issues]


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("样品编号,文件,分组\nS1,a.mzML,对照\n", "gbk", "GB18030 (GBK)"),
        ("样品编号,文件,分组\nS1,a.mzML,对照🧬\n", "gb18030", "GB18030 (GBK)"),
        ("id,file,group\nS1,a.mzML,组\n", "gbk", "GB18030 (GBK)"),
        ("樣品編號,檔案,分组\nS1,a.mzML,對照\n".replace("组", "組"), "cp950", "Big5"),
        ("Probe;Datei;Volumen (µL)\nS1;a.mzML;3\n", "cp1252", "Windows-1252"),
        ("id,file,group\nS1,a.mzML,Größe – naïve\n", "cp1252", "Windows-1252"),
        ("id,file,group\nS1,a.mzML,Größe\n", "cp1252", "Windows-1252"),
        ("id,file,group\nS1,a.mzML,25 °C\n", "cp1252", "Windows-1252"),
    ],
)
def test_read_other_encodings_are_recognized_and_noted(text, encoding, name):
    sheet = read(text, encoding)
    expected = read(text)
    assert sheet.records == expected.records
    assert [column.header for column in sheet.columns] == [c.header for c in expected.columns]
    assert f"The sheet is not encoded in UTF-8; it was read as {name}." in messages(sheet)
    assert sheet.ok


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_read_unicode_text_is_read_with_and_without_its_mark(encoding):
    sheet = read("id\tfile\tgroup\nS1\ta.mzML\t对照\n", encoding)
    assert sheet.records == [{"id": "S1", "file": "a.mzML", "group": "对照"}]
    assert sheet.issues == []


def test_read_utf16_of_excel_is_read():
    sheet = read("样品编号\t文件\nS1\ta.mzML\n", "utf-16")
    assert sheet.records == [{"id": "S1", "file": "a.mzML"}]


def test_read_damaged_utf8_is_not_taken_for_another_encoding():
    data = "id,file\nS1,样品编号文件分组\n".encode()
    with pytest.raises(Invalid, match=r"Line 2 is not encoded in UTF-8\."):
        read(data[:-3] + b"\xff\n")


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\n样品编号;文件\nS1;a.mzML\n",
        "sep=,\r\n样品编号,文件\r\nS1,a.mzML\r\n",
        '"sep=|"\n样品编号|文件\nS1|a.mzML\n',
        "SEP=\t\n样品编号\t文件\nS1\ta.mzML\n",
    ],
)
def test_read_line_with_the_separator_is_not_part_of_the_table(text):
    sheet = read(text)
    assert (sheet.metadata, sheet.rows) == ({}, [2])
    assert sheet.records == [{"id": "S1", "file": "a.mzML"}]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("id;file;volume\nS1;a;0,5\n", 0.5),
        ("id;file;volume\nS1;a;1,234\n", 1.234),  # where semicolons separate, commas are decimal
        ("id;file;volume\nS1;a;-2,5e3\n", -2500.0),
        ("id\tfile\tvolume\nS1\ta\t0,25\n", 0.25),
        ('id,file,volume\nS1,a,"12,75"\n', 12.75),
        ("id;file;replicate\nS1;a;2,0\n", 2),
    ],
)
def test_read_decimal_commas_are_read_and_noted(line, value):
    sheet = read(line)
    (record,) = sheet.records
    assert list(record.values())[2] == value
    assert messages(sheet) == ["The comma of the cell C2 was read as a decimal point."]


def test_read_comma_that_may_separate_thousands_is_an_error():
    sheet = read("id\tfile\tvolume\nS1\ta\t1,234\n")
    assert (sheet.records[0]["volume"], messages(sheet)) == ("1,234", ["Must be a number."])


def test_read_comma_in_a_column_of_text_stays():
    sheet = read("id;file;group\nS1;a;0,5\n")
    assert (sheet.records[0]["group"], sheet.issues) == ("0,5", [])


@pytest.mark.parametrize("error", ["#REF!", "#N/A", "#DIV/0!", "#NAME?", "#VALUE!", "#BEZUG!"])
def test_read_error_value_is_named_by_its_cell(error):
    sheet = read(f"id,file,group\nS1,a,{error}\n")
    (issue,) = sheet.issues
    assert (issue.cell, issue.severity) == ("C2", "error")
    assert issue.message == f"The cell contains the error {error}."
    assert sheet.records == [{"id": "S1", "file": "a"}]


def test_read_text_as_a_formula_of_excel_is_text():
    assert read('id,file\n"=""0012""",a\n').records == [{"id": "0012", "file": "a"}]


def test_read_invisible_characters_are_dropped_and_noted():
    sheet = read("样品编号,\ufeff文件\nS1,a.mzML\u200b\nS1\u200b,b.mzML\n\u200b,\u00a0\n")
    assert sheet.records == [{"id": "S1", "file": "a.mzML"}, {"id": "S1", "file": "b.mzML"}]
    assert [(issue.severity, issue.cell, issue.message) for issue in sheet.issues] == [
        ("warning", "", "The invisible character U+200B was removed from the cell B2."),
        ("warning", "", "The invisible character U+200B was removed from the cell A3."),
        ("error", "A3", "“S1” is already in row 2."),
    ]


def test_check_invisible_characters_of_rows_are_issues():
    (issue,) = sheets.check([{"id": "S\u200b1", "file": "a"}], SAMPLES)
    assert (issue.code, issue.args) == ("invalid_characters", {"character": "U+200B"})


@pytest.mark.parametrize(
    ("first", "second", "severity"),
    [
        ("S1", "S1", "error"),
        ("\u00e4", "a\u0308", "error"),
        ("S1", "s1", "warning"),
        ("S1", "\uff331", "warning"),
    ],
)
def test_check_names_that_are_equal_after_folding_are_told(first, second, severity):
    rows = [{"id": first, "file": "a"}, {"id": second, "file": "b"}]
    (issue,) = sheets.check(rows, SAMPLES)
    assert (issue.row, issue.severity, issue.code) == (2, severity, "not_unique")


@pytest.mark.parametrize(
    ("row", "metadata"),
    [
        (["Project: X"], {"Project": "X"}),
        (["Project", "X"], {"Project": "X"}),
        (["Project:", "X", "Operator:", "Y"], {"Project": "X", "Operator": "Y"}),
        (["Project: X", "Operator: Y"], {"Project": "X", "Operator": "Y"}),
        (["# Project: X; Operator: Y"], {"Project": "X", "Operator": "Y"}),
        (["Project: X, Operator: Y Z"], {"Project": "X", "Operator": "Y Z"}),
        (["Project: A b   Operator: Y"], {"Project": "A b", "Operator": "Y"}),
        (["项目\uff1aX 送样人\uff1aY"], {"项目": "X", "送样人": "Y"}),
        (["Date: 2026-03-31 10:30"], {"Date": "2026-03-31 10:30"}),
        (["Note: see a, b, c"], {"Note": "see a, b, c"}),
        (["Address: https://example.org/x"], {"Address": "https://example.org/x"}),
        (["Project: X", "and more"], {"Project": "X and more"}),
        (["Samples of March"], {"title": "Samples of March"}),
        (["10:30"], {"title": "10:30"}),
        ([], {}),
    ],
)
def test_read_metadata_of_a_row(row, metadata):
    assert read_metadata([row]) == metadata


def test_read_several_pairs_above_the_table_are_metadata():
    sheet = read("Project: X; Operator: Y\nid;file\nS1;a\n")
    assert sheet.metadata == {"Project": "X", "Operator": "Y"}
    sheet = read("Project: X  Operator: Y\tDate: 2026-03-31\nid\tfile\nS1\ta\n")
    assert sheet.metadata == {"Project": "X", "Operator": "Y", "Date": "2026-03-31"}
