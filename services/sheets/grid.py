"""Turns bytes into rows of cells, in bounded time and memory for any bytes."""

from __future__ import annotations

import csv
import io
import itertools
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from services.errors import Invalid, Message, TooLarge
from services.settings import MIB
from services.sheets import workbook
from services.sheets.cells import Formula, Row, unreadable
from services.sheets.model import MAX_COLUMNS, MAX_ROWS

MAX_SHEET_BYTES = 16 * MIB  # of a file
MAX_SHEET_CELLS = 300_000
MAX_LINE_CHARACTERS = MIB
MAX_HEADER_ROW = 100  # number of the last row that may be the header
DELIMITERS = "\t,;"
MAX_EMPTY_ROWS = 1000  # consecutive ones; the sheet ends after them

SHEET_TOO_LARGE = Message(
    "file_too_large",
    "The sheet is larger than {limit} MiB.",
    hint="A sample sheet has one line for each sample; put data into other files.",
)
OLD_WORKBOOK = Message(
    "wrong_kind_of_file",
    "The workbook has the old Excel format (xls) or a password.",
    hint="Save it as an Excel workbook (xlsx) without a password, or as CSV.",
)
SAVE_AS_UTF8 = "Save it as “CSV UTF-8”, or as an Excel workbook (xlsx)."
UTF16_SHEET = Message("wrong_format", "The sheet is encoded in UTF-16.", hint=SAVE_AS_UTF8)
NUL_CHARACTER = Message(
    "invalid_characters",
    "Line {line} contains a NUL character: the sheet is not text.",
    hint=SAVE_AS_UTF8,
)
NOT_UTF8 = Message("wrong_format", "Line {line} is not encoded in UTF-8.", hint=SAVE_AS_UTF8)
EMPTY_SHEET = Message("missing", "The sheet is empty.")
BAD_CSV = Message(
    "unreadable_file",
    "The sheet cannot be read as a table: {reason}.",
    hint="A quotation mark may be missing; write two of them for one inside quoted text.",
)
LINE_TOO_LONG = Message("wrong_length", "Line {line} has more than {limit} characters.")
TOO_MANY_COLUMNS = Message(
    "wrong_length",
    "Row {row} has {columns} columns; at most {limit} are allowed.",
    hint="Put each sample into a row of its own.",
)
TOO_MANY_CELLS = Message("wrong_length", "The sheet has more than {limit} cells.")
TOO_MANY_ROWS = Message("wrong_length", "The sheet has more than {limit} rows.")


def content(source: Path | bytes) -> bytes:
    """Return the bytes of a sheet. Raises TooLarge."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > MAX_SHEET_BYTES:
        raise TooLarge(SHEET_TOO_LARGE(limit=MAX_SHEET_BYTES // MIB), field="sheet")
    return source if isinstance(source, bytes) else source.read_bytes()


def tables(data: bytes) -> list[list[Row] | Invalid]:
    """Return the rows of a table; for text, once for each delimiter that it may have.

    An Invalid takes the place of rows that exceed the limits with a delimiter. Raises Invalid when
    the data are not a table at all.
    """
    if data.startswith(b"PK\x03\x04"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and pictures, which are not read
            return [_limited(workbook.cells(data))]
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise unreadable(OLD_WORKBOOK())
    text = _decoded(data)
    results: list[list[Row] | Invalid] = []
    for delimiter in [mark for mark in DELIMITERS if mark in text] or DELIMITERS[:1]:
        try:
            results.append(_limited(_separated(text, delimiter)))
        except Invalid as error:
            results.append(error)
    return results


def _decoded(data: bytes) -> str:
    """Decode UTF-8 text, with or without a byte order mark. Raises Invalid."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        raise unreadable(UTF16_SHEET())
    if (position := data.find(b"\0")) >= 0:
        raise unreadable(NUL_CHARACTER(line=data.count(b"\n", 0, position) + 1))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unreadable(NOT_UTF8(line=line)) from None
    if not text.strip():
        raise unreadable(EMPTY_SHEET())
    return text


def _separated(text: str, delimiter: str) -> Iterator[Row]:
    lines = io.StringIO(text, newline="")
    try:
        for row in csv.reader(_short(lines), delimiter=delimiter, strict=True):
            cells = (cell.strip() for cell in row)
            yield tuple(Formula(cell) if cell.startswith("=") else cell for cell in cells)
    except csv.Error as error:
        raise unreadable(BAD_CSV(reason=error)) from None


def _short(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_CHARACTERS:
            raise unreadable(LINE_TOO_LONG(line=number, limit=MAX_LINE_CHARACTERS))
        yield line


def _limited(rows: Iterable[Row]) -> list[Row]:
    """Return rows without empty cells at their ends. Raises Invalid beyond the limits."""
    kept: list[Row] = []
    empty = filled = 0
    for number, row in enumerate(rows, 1):
        width = len(row) - sum(1 for _ in itertools.takewhile(lambda c: c == "", reversed(row)))
        if width > MAX_COLUMNS:
            raise unreadable(TOO_MANY_COLUMNS(row=number, columns=width, limit=MAX_COLUMNS))
        filled += width
        if filled > MAX_SHEET_CELLS:
            raise unreadable(TOO_MANY_CELLS(limit=MAX_SHEET_CELLS))
        kept.append(row[:width])
        empty = 0 if width else empty + 1
        if empty > MAX_EMPTY_ROWS:
            break
        if len(kept) - empty > MAX_ROWS + MAX_HEADER_ROW:
            raise unreadable(TOO_MANY_ROWS(limit=MAX_ROWS))
    return kept[: len(kept) - empty]
