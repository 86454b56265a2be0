"""Reading, checking, pairing and writing tables, without a database."""

from __future__ import annotations

import io
import resource
import zipfile
from datetime import date

import openpyxl
import pytest

from services import sheets
from services.errors import Invalid, TooLarge

INFORMATION = {
    "type": "array",
    "uniqueEntries": ["id"],
    "items": {
        "type": "object",
        "required": ["id", "file"],
        "properties": {
            "id": {"type": "string", "title": "Sample ID", "aliases": ["样品编号"]},
            "name": {"type": "string", "aliases": ["Sample name"]},
            "file": {"type": "string", "format": "file-path", "pattern": r"\.mzML$"},
            "condition": {"type": "integer", "minimum": 1},
            "date": {"type": "string", "format": "date"},
            "blank": {"type": "boolean"},
        },
    },
}
READS = {
    "type": "object",
    "required": ["sample", "fastq_1"],
    "additionalProperties": False,
    "properties": {
        "sample": {
            "type": "string",
            "unique": True,
            "pattern": "^[a-z0-9-]+$",
            "errorMessage": "Small letters only.",
        },
        "fastq_1": {"type": "string", "format": "file-path", "pattern": r"\.fastq\.gz$"},
        "depth": {"type": "number"},
        "group": {"enum": ["control", "treated"]},
    },
}


def book(*rows, hidden=None) -> bytes:
    """An xlsx file."""
    made = openpyxl.Workbook()
    if hidden:
        made.active.append(hidden)
        made.active.sheet_state = "hidden"
        made.create_sheet()
    for row in rows:
        made.worksheets[-1].append(row)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def text(*rows, delimiter="\t") -> bytes:
    return "".join(delimiter.join(row) + "\n" for row in rows).encode()


def messages(sheet):
    return [(issue.cell or issue.row, issue.message) for issue in sheet.issues]


def errors(sheet):
    return [issue for issue in sheet.issues if issue.severity == "error"]


def refused(data: bytes, schema=READS) -> Invalid:
    with pytest.raises(Invalid) as caught:
        sheets.read(data, schema)
    assert caught.value.field == "sheet"
    return caught.value


TABLE = [
    ["Project", "BSA digest QC"],
    ["Submitted by:", "core"],
    [],
    ["样品编号", "Sample name", "File", "Condition", "Date", "Instrument"],
    ["BSA-1", "BSA digest 1", "BSA1.mzML", 1, date(2008, 6, 1), "Orbitrap"],
    ["BSA-2", "BSA digest 2", "BSA2.mzML", 2, date(2008, 6, 1), "Orbitrap"],
    ["BSA-2", "BSA digest 3", "BSA3.mzML", 0, date(2008, 6, 1), "Orbitrap"],
    ["EC-1", "E. coli"],
]


def test_information_table_is_read_with_every_problem_by_row_and_column():
    sheet = sheets.read(book(*TABLE), INFORMATION)
    assert sheet.metadata == {"Project": "BSA digest QC", "Submitted by": "core"}
    assert sheet.rows == [5, 6, 7, 8]
    assert sheet.records[0] == {
        "id": "BSA-1",
        "name": "BSA digest 1",
        "file": "BSA1.mzML",
        "condition": 1,
        "date": "2008-06-01",
        "Instrument": "Orbitrap",
    }
    assert sheet.records[3] == {"id": "EC-1", "name": "E. coli"}
    assert messages(sheet) == [
        (None, "Unknown column; its values are kept unchanged."),
        ("A7", "“BSA-2” is already in row 6."),
        ("D7", "Must be at least 1."),
        ("C8", "Required."),
    ]
    twice = next(issue for issue in sheet.issues if "already" in issue.message)
    assert (twice.row, twice.column, twice.index, twice.name) == (7, "样品编号", 2, "id")
    assert not sheet.ok


@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
def test_same_table_as_text_gives_the_same(delimiter):
    rows = [[str(cell) for cell in row] for row in TABLE]
    found = sheets.read(b"\xef\xbb\xbf" + text(*rows, delimiter=delimiter), INFORMATION)
    assert found == sheets.read(book(*TABLE), INFORMATION)


def test_read_delimiter_is_recognized_by_the_header():
    data = b"sample\tfastq_1\na,b,c,d\tx.fastq.gz\n"
    assert sheets.read(data, READS).records == [{"sample": "a,b,c,d", "fastq_1": "x.fastq.gz"}]


def test_quoted_cells_with_line_breaks_keep_the_rows_of_the_spreadsheet():
    sheet = sheets.read(b'sample,fastq_1\r\n"a\r\nb",x.fastq.gz\r\n\r\nC,y.fastq.gz\r\n', READS)
    assert sheet.records[0]["sample"] == "a b"
    assert [(issue.row, issue.message) for issue in sheet.issues] == [
        (2, "Small letters only."),
        (4, "Small letters only."),
    ]


def test_values_have_the_types_of_their_columns():
    rows = [["id", "file", "condition", "blank"], ["1", "a.mzML", "2.0", "Yes"]]
    (record,) = sheets.read(text(*rows), INFORMATION).records
    assert record == {"id": "1", "file": "a.mzML", "condition": 2, "blank": True}
    numbers = [["id", "file", "condition", "blank"], [7.0, "a.mzML", 2.0, False]]
    (record,) = sheets.read(book(*numbers), INFORMATION).records
    assert record == {"id": "7", "file": "a.mzML", "condition": 2, "blank": False}


def test_read_invalid_number_stays_text_and_is_an_issue():
    sheet = sheets.read(text(["sample", "fastq_1", "depth"], ["a", "a.fastq.gz", "0.5x"]), READS)
    assert sheet.records[0]["depth"] == "0.5x"
    assert messages(sheet) == [("C2", "Must be a number.")]


@pytest.mark.parametrize(
    "header", ["FASTQ 1", "\uff46\uff41\uff53\uff54\uff51\uff3f\uff11", " fastq-1 ", "Fastq_1"]
)
def test_read_header_is_recognized_in_other_spellings(header):
    assert sheets.read(text(["sample", header], ["a", "a.fastq.gz"]), READS).ok


def test_read_missing_unknown_and_duplicate_columns_are_issues():
    sheet = sheets.read(text(["sample", "Sample", "dept"], ["a", "b", "1"]), READS)
    assert [issue.message for issue in errors(sheet)] == [
        "Columns A and B are both “sample”.",
        "Unknown column.",
        "The column “fastq_1” is missing.",
    ]
    assert "Did you mean depth?" in [issue.hint for issue in sheet.issues]
    assert [issue.code for issue in errors(sheet)] == [
        "duplicate_field",
        "unknown_field",
        "missing",
    ]
    assert errors(sheet)[0].args == {"first": "A", "second": "B", "column": "sample"}


def test_cell_below_no_header_and_file_of_another_kind():
    sheet = sheets.read(text(["sample", "fastq_1"], ["a", "dir/a.bam", "more"]), READS)
    assert messages(sheet) == [
        ("B2", "a.bam is not an accepted file: its name must end in .fastq.gz."),
        ("C2", "“more” is in a column without a header."),
    ]


@pytest.mark.parametrize(
    "data",
    [
        text(["sample", "fastq_1"], ["=1+1", "a.fastq.gz"]),
        book(["sample", "fastq_1"], ["=1+1", "a.fastq.gz"]),
    ],
)
def test_formula_is_named_by_its_cell(data):
    (issue,) = sheets.read(data, READS).issues
    assert (issue.cell, issue.message) == ("A2", "The cell contains a formula: =1+1")


def test_check_unprintable_character_is_an_issue():
    (issue,) = sheets.check([{"sample": "a", "fastq_1": "\x1b.fastq.gz"}], READS)
    assert (issue.code, issue.message) == (
        "invalid_characters",
        "Contains the unprintable character U+001B.",
    )
    assert issue.args == {"character": "U+001B"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"one\ntwo\n", "no row names the columns"),
        ("sample\tfastq_1\n".encode("utf-16")[:-1], "not valid UTF-16"),
        (b"sample\tfastq_1\n\xcf\xf0\xee\xe5\xea\xf2\tx\n", "Line 2 is not encoded in UTF-8"),
        (b"sample\tfastq_1\na\0\tb\n", "Line 2 contains a NUL"),
        (b'sample,fastq_1\n"a,b\n', "cannot be read as a table"),
        (b"\xd0\xcf\x11\xe0 old", "cannot be read"),
        (b"PK\x03\x04 nothing", "cannot be read"),
        (text(["sample", "fastq_1"], *[["a", "b"]] * 10_001), "more than 10000 rows"),
    ],
)
def test_read_unreadable_file_is_refused_with_a_sentence(data, words):
    error = refused(data)
    assert words in error.message


def test_too_many_columns_are_refused_at_once():
    wide = ",".join(f"c{number}" for number in range(100_000)).encode()
    row = "<c><v>1</v></c>"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "100000 columns" in refused(wide).message
    for count, words in ((201, "Row 1 has 201 columns"), (2_000_000, "more than 16384 columns")):
        data = swapped(book(["sample"]), f"<sheetData><row>{row * count}</row></sheetData>")
        assert words in refused(data).message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def swapped(workbook: bytes, data: str) -> bytes:
    """A workbook whose cells are replaced by data that no program writes."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(changed, "w", 8) as new:
        for part in old.namelist():
            content = old.read(part).decode()
            if part.startswith("xl/worksheets/"):
                head, _, rest = content.partition("<sheetData>")
                content = head + data + rest.partition("</sheetData>")[2]
            new.writestr(part, content)
    return changed.getvalue()


def test_read_oversized_files_are_refused():
    bomb = swapped(book(["sample"]), " " * 40_000_000)
    assert len(bomb) < 100_000
    assert "larger than 32 MiB" in refused(bomb).message
    many = swapped(book(["sample"]), "<sheetData>" + "<row/>" * 1_000_001 + "</sheetData>")
    assert "too many cells" in refused(many).message
    cells = ("\t" * 199 + "x\n") * 1501
    assert "more than 300000 cells" in refused(cells.encode()).message
    with pytest.raises(TooLarge):
        sheets.read(b"a" * (sheets.MAX_SHEET_BYTES + 1), READS)
    assert "Line 2" in refused(b"sample,fastq_1\n" + b"a," * 1_000_000).message


def test_read_workbook_with_a_distant_cell_ignores_it():
    made = openpyxl.Workbook()
    for cell, value in {"A1": "sample", "B1": "fastq_1", "A2": "a", "B2": "a.fastq.gz"}.items():
        made.active[cell] = value
    made.active["A1000000"] = "far"
    file = io.BytesIO()
    made.save(file)
    assert len(sheets.read(file.getvalue(), READS).records) == 1


def test_read_hidden_sheets_of_a_workbook_are_skipped():
    data = book(["sample", "fastq_1"], ["a", "a.fastq.gz"], hidden=["sample", "lists"])
    assert sheets.read(data, READS).records == [{"sample": "a", "fastq_1": "a.fastq.gz"}]


def test_check_has_the_issues_of_reading():
    rows = [{"sample": "a", "fastq_1": "x.fastq.gz"}, {"sample": "a"}, 7, {"sample": ["a"]}]
    found = [(issue.row, issue.name, issue.message) for issue in sheets.check(rows, READS)]
    assert found == [
        (2, "fastq_1", "Required."),
        (2, "sample", "“a” is already in row 1."),
        (3, "", "The row must be an object."),
        (4, "fastq_1", "Required."),
        (4, "sample", "Must be a string."),
        (4, "sample", "A cell must have a single value."),
    ]
    assert sheets.check([{"sample": "b", "fastq_1": "0" * 24}], READS) == []


@pytest.mark.parametrize("value", [12345, 1.5, True])
def test_check_number_where_text_is_required_is_told_as_such(value):
    (issue,) = sheets.check([{"sample": value, "fastq_1": "a.fastq.gz"}], READS)
    assert (issue.name, issue.code, issue.message) == ("sample", "wrong_type", "Must be a string.")


def test_check_several_columns_are_one_key():
    schema = {
        "properties": {"sample": {}, "lane": {}},
        "uniqueEntries": ["sample", "lane"],
    }
    rows = [{"sample": "a", "lane": 1}, {"sample": "a", "lane": 2}, {"sample": "a", "lane": 1}]
    (issue,) = sheets.check(rows, schema)
    assert (issue.row, issue.message) == (3, "“a, 1” is already in row 1.")


def test_check_missing_values_of_a_key_are_equal_unless_it_is_the_first():
    schema = {"properties": {"sample": {}, "lane": {}}, "uniqueEntries": ["sample", "lane"]}
    rows = [{"sample": "a"}, {"sample": "a", "lane": 1}, {"sample": "a"}, {"lane": 1}, {"lane": 1}]
    (issue,) = sheets.check(rows, schema)
    assert (issue.row, issue.message) == (3, "“a” is already in row 1.")


def test_check_many_issues_lists_only_the_first():
    found = sheets.check([{}] * 1000, READS)
    assert len(found) == sheets.MAX_ISSUES + 1
    assert found[-1].message == "1800 more problems are not listed."


@pytest.mark.parametrize(("delimiter", "name"), [("\t", "s.tsv"), (",", "s.csv")])
def test_write_then_read_gives_the_same_records(tmp_path, delimiter, name):
    rows = [
        {"id": 'q"u,o\tte', "file": "a.mzML", "condition": 3, "blank": True},
        {"id": "<b>", "file": "b.mzML", "extra": "x"},
    ]
    sheets.write(rows, tmp_path / name, INFORMATION, delimiter=delimiter)
    first = (tmp_path / name).read_text().splitlines()[0]
    assert first.split(delimiter) == [*INFORMATION["items"]["properties"], "extra"]
    found = sheets.read(tmp_path / name, INFORMATION)
    assert found.records == [{**rows[0], "id": 'q"u,o te'}, rows[1]]
    assert [path.name for path in tmp_path.iterdir()] == [name]
