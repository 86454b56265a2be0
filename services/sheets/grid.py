"""Turns bytes into rows of cells, in bounded time and memory for any bytes."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from services.errors import Invalid, Message, Text, TooLarge
from services.params.names import best_matches
from services.settings import MIB
from services.sheets import encodings, workbook
from services.sheets.cells import (
    Cell,
    Formula,
    Grid,
    Merge,
    Position,
    Row,
    WorkbookSheet,
    text_cell,
    unreadable,
)
from services.sheets.model import MAX_COLUMNS, MAX_ROWS

MAX_SHEET_BYTES = 16 * MIB  # of a file
MAX_SHEET_CELLS = 300_000
MAX_LINE_CHARACTERS = MIB
MAX_HEADER_ROW = 100  # number of the last row that may be the header
DELIMITERS = "\t,;"
MAX_EMPTY_ROWS = 1000  # consecutive ones; the sheet ends after them
SEPARATOR_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?[^\S\n\r]*(?:\r\n|\n|\r|$)', re.IGNORECASE)
MAX_SHEETS_NAMED = 5  # in a message
QUOTED_TEXT = re.compile(r'="([^"]*)"')  # keeps the zeros of ="0012" in a spreadsheet program

SHEET_TOO_LARGE = Message(
    "file_too_large",
    "The sheet is larger than {limit} MiB.",
    hint="A sample sheet has one line for each sample; put data into other files.",
)
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
SHEET_READ = Message("ok", "The table was read from the sheet “{sheet}” of the workbook.")
ONE_SHEET_READ = Message(
    "ok",
    "The table was read from the sheet “{sheet}” of the workbook, and not from {others}.",
    hint="If this is the wrong sheet, make the other one the active sheet and save the workbook.",
)
UNKNOWN_SHEET = Message(
    "not_found",
    "The workbook has no visible sheet named “{sheet}”.",
    hint="Its sheets are {names}.",
)
NOT_A_WORKBOOK = Message(
    "not_allowed",
    "Only a workbook has sheets; this file is a text table.",
    hint="Leave out the name of the sheet.",
)
TOO_MANY_ROWS = Message("wrong_length", "The sheet has more than {limit} rows.")


def content(source: Path | bytes) -> bytes:
    """Return the bytes of a sheet. Raises TooLarge."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > MAX_SHEET_BYTES:
        raise TooLarge(SHEET_TOO_LARGE(limit=MAX_SHEET_BYTES // MIB), field="sheet")
    return source if isinstance(source, bytes) else source.read_bytes()


def tables(data: bytes, sheet: str = "") -> Iterator[Grid | Invalid]:
    """Yield the tables that a file may contain, the most likely first.

    These are the visible sheets of a workbook, or only the one named `sheet`, or a text in each
    encoding and with each delimiter that it may have. An Invalid takes the place of rows that
    exceed the limits. Raises Invalid when the data are not a table at all, or have no such sheet.
    """
    if workbook.is_workbook(data):
        yield from _sheets(_named(list(workbook.sheets(data)), sheet))
        return
    if sheet:
        raise unreadable(NOT_A_WORKBOOK())
    for decoded in encodings.decoded(data):
        text, separator = _without_separator_line(decoded.text)
        delimiters = [separator] if separator else [mark for mark in DELIMITERS if mark in text]
        for delimiter in delimiters or DELIMITERS[:1]:
            try:
                rows = _limited(_separated(text, delimiter))
            except Invalid as error:
                yield error
                continue
            yield Grid(rows, notes=decoded.notes, decimal_comma=delimiter == ";")


def _named(sheets: list[WorkbookSheet], name: str) -> list[WorkbookSheet]:
    """Return the sheets with a name; all sheets if it is empty. Raises Invalid."""
    if not name:
        return sheets
    names = [sheet.name for sheet in sheets]
    matches = best_matches(name, names)
    if not matches:
        listed = ", ".join(f"“{known}”" for known in names[:MAX_SHEETS_NAMED])
        raise unreadable(UNKNOWN_SHEET(sheet=name, names=listed))
    return [sheet for sheet in sheets if sheet.name == matches[0]]


def _sheets(sheets: Sequence[WorkbookSheet]) -> Iterator[Grid | Invalid]:
    """Yield the sheets of a workbook, the active one first."""
    for sheet in sorted(sheets, key=lambda sheet: not sheet.active):
        others = [other.name for other in sheets if other is not sheet and other.filled]
        notes: tuple[Text, ...] = ()
        if others:
            listed = ", ".join(f"“{name}”" for name in others[:MAX_SHEETS_NAMED])
            notes = (ONE_SHEET_READ(sheet=sheet.name, others=listed),)
        elif sheet is not sheets[0]:
            notes = (SHEET_READ(sheet=sheet.name),)
        try:
            rows = _limited(sheet.rows)
            filled = _fill(rows, sheet.merges)
        except Invalid as error:
            yield error
        else:
            yield Grid(rows, notes, sheet.merges, sheet.formulas, filled, in_workbook=True)


def _fill(rows: list[Row], merges: Iterable[Merge]) -> dict[Position, Merge]:
    """Put the value of merged cells into each of their rows that has other cells.

    Programs store it in the first row only. Of several columns only the first gets the value.
    Returns the cells that got one. Raises Invalid when the cells are too many.
    """
    filled: dict[Position, Merge] = {}
    visited = 0
    for merge in merges:
        row = rows[merge.top] if merge.top < len(rows) else ()
        value = row[merge.left] if merge.left < len(row) else ""
        if value == "":
            continue
        for number in range(merge.top + 1, min(merge.bottom + 1, len(rows))):
            visited += 1
            if visited > MAX_SHEET_CELLS:
                raise unreadable(TOO_MANY_CELLS(limit=MAX_SHEET_CELLS))
            cells = list(rows[number])
            if not any(
                cell != "" and (number, column) not in filled for column, cell in enumerate(cells)
            ):
                continue
            cells += [""] * (merge.left + 1 - len(cells))
            if cells[merge.left] == "":
                cells[merge.left] = value
                rows[number] = tuple(cells)
                filled[number, merge.left] = merge
    return filled


def _without_separator_line(text: str) -> tuple[str, str]:
    """Return a text without a first line such as "sep=;", and the delimiter that this names.

    Excel writes and reads this line but does not show it, so rows are counted from the next one.
    """
    match = SEPARATOR_LINE.match(text)
    return (text[match.end() :], match[1]) if match else (text, "")


def _separated(text: str, delimiter: str) -> Iterator[Row]:
    lines = io.StringIO(text, newline="")
    try:
        for row in csv.reader(_short(lines), delimiter=delimiter, strict=True):
            yield tuple(_cell(cell) for cell in row)
    except csv.Error as error:
        raise unreadable(BAD_CSV(reason=error)) from None


def _cell(text: str) -> Cell:
    text = text.strip()
    if text.startswith("="):
        quoted = QUOTED_TEXT.fullmatch(text)
        return text_cell(quoted[1]) if quoted else Formula(text)
    return text_cell(text)


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
