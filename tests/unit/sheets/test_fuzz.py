"""Random tables raise nothing but Invalid and TooLarge."""

from __future__ import annotations

import io
import json
import random

import openpyxl
import pytest
from openpyxl.utils.exceptions import IllegalCharacterError

from services import sheets
from services.errors import Invalid, TooLarge
from services.settings import HERE

SCHEMA = {
    "required": ["sample", "file"],
    "properties": {
        "sample": {"type": "string", "unique": True, "aliases": ["ID", "样品*"]},
        "file": {"type": "string", "format": "file-path", "pattern": r"\.fastq$"},
        "number": {"type": "number"},
        "count": {"type": "integer", "minimum": 0},
        "flag": {"type": "boolean"},
        "date": {"type": "string", "format": "date"},
    },
}
PIECES = [
    *"0123456789.,;:=#!?+-eE\"' \t\r\n|/\\%()[]{}*",
    *"äßµ°样品\u200b\ufeff\u00a0\u3000\u202e\u0308\ud7ff\U0001f9ec",
    *["=", "#REF!", "sep=;", "1e999", "0x1F", "nan", "inf", "true", "2026-03-31", "Project: "],
    *["9" * 400, "not available", "\x00", "\x1b", "sample", "file", "a.fastq", "=1+1", '="7"'],
]
HEADERS = [
    "sample",
    "file",
    "number",
    "count",
    "flag",
    "date",
    "other",
    "other",
    "ID",
    "",
    "样品编号",
]


def cell(generator):
    return "".join(generator.choices(PIECES, k=generator.randint(0, 5)))


def check(data):
    """Read a table and use everything that it returns."""
    for schema in (SCHEMA, {**SCHEMA, "additionalProperties": False}):
        try:
            sheet = sheets.read(data, schema)
        except (Invalid, TooLarge):
            continue
        assert len(sheet.rows) == len(sheet.records)
        json.dumps(sheet.model_dump(mode="json"))
        sheets.check(sheet.records, schema)
        sheets.as_text(sheet.records, schema)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030", "cp1252", "big5"])
def test_read_random_text_raises_only_our_errors(encoding):
    generator = random.Random(encoding)
    for _ in range(150):
        rows = [generator.sample(HEADERS, generator.randint(1, 8))]
        rows += [[cell(generator) for _ in range(8)] for _ in range(generator.randint(0, 5))]
        generator.shuffle(rows)
        delimiter = generator.choice("\t,;")
        text = "\n".join(delimiter.join(row) for row in rows)
        check(text.encode(encoding, "replace"))


def test_read_random_workbooks_raise_only_our_errors():
    generator = random.Random(3)
    values = [None, True, 7, 7.5, -0.0, 1e300, 10**15, float("nan"), float("inf")]
    formats = ["General", "0000", '"S"000', "yyyy-mm-dd", "0%", "[h]:mm", "@", '"', "\\", "0;;"]
    for _ in range(40):
        book = openpyxl.Workbook()
        book.active.append(HEADERS)
        for _ in range(4):
            for column in range(1, 9):
                target = book.active.cell(book.active.max_row, column)
                target.number_format = generator.choice(formats)
                try:
                    target.value = generator.choice([*values, cell(generator), cell(generator)])
                except IllegalCharacterError:
                    target.value = None
            book.active.append([cell(generator).encode("ascii", "ignore").isdigit()])
        top, left = generator.randint(1, 5), generator.randint(1, 6)
        book.active.merge_cells(
            start_row=top, start_column=left, end_row=top + 2, end_column=left + 2
        )
        file = io.BytesIO()
        book.save(file)
        check(file.getvalue())


@pytest.mark.parametrize("name", ["old.xls", "merged.xlsx", "strict.xlsx"])
def test_read_damaged_workbooks_raise_only_our_errors(name):
    generator = random.Random(name)
    original = (HERE / "tests/data/tables" / name).read_bytes()
    for _ in range(80):
        data = bytearray(original)
        for _ in range(generator.randint(1, 20)):
            data[generator.randrange(8, len(data))] = generator.randrange(256)
        check(bytes(data[: generator.choice([len(data), generator.randrange(len(data))])]))


def test_check_random_rows_raises_only_our_errors():
    generator = random.Random(5)
    values = [None, True, 7, 7.5, [], {}, ["a"], "0" * 24]
    for _ in range(300):
        rows = [
            {name: generator.choice([*values, cell(generator)]) for name in HEADERS[:7]}
            for _ in range(3)
        ]
        json.dumps([issue.model_dump(mode="json") for issue in sheets.check(rows, SCHEMA)])
