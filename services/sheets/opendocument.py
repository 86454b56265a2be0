"""Reads the sheets of OpenDocument spreadsheets (ods), as LibreOffice and others write them.

The elements are those of OpenDocument 1.3, part 3, chapter 9. Libraries for the format either build
a tree of the whole document or return neither merged cells nor errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from services.sheets.cells import (
    TOO_MANY_ELEMENTS,
    Cell,
    ErrorValue,
    Formatted,
    Formula,
    Merge,
    Position,
    Row,
    WorkbookSheet,
    text_cell,
    unreadable,
)
from services.sheets.number_formats import number_cell

NAMESPACE = "urn:oasis:names:tc:opendocument:xmlns:"
TABLE, OFFICE, TEXT = (f"{NAMESPACE}{name}:1.0 " for name in ("table", "office", "text"))
STYLE = f"{NAMESPACE}style:1.0 "
CALC_TYPE = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 value-type"
CELLS = frozenset({f"{TABLE}table-cell", f"{TABLE}covered-table-cell"})
NOT_CELLS = frozenset({f"{OFFICE}annotation", f"{TABLE}tracked-changes", f"{TABLE}shapes"})
ACTIVE_SHEET = re.compile(rb'name="ActiveTable"[^>]*>([^<]*)<')
#: A number as a format with zeros or with text before it shows it: 0007, S007.
ZEROS_SHOWN = re.compile(r"[^0-9.,+-]*?([0-9]+)")

MAX_KEPT_CELLS = 400_000  # of a sheet, and its empty rows; more than a sheet may have
MAX_GAP_ROWS = 10_000  # empty ones between two others; the sheet ends before more
MAX_DIGITS = 100  # of a number that is compared with its text
MAX_KEPT_COLUMNS = 16_384  # of a row; LibreOffice's number of columns


@dataclass
class _Sheet:
    name: str
    hidden: bool
    rows: list[Row] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    computed: set[Position] = field(default_factory=set)
    kept: int = 0  # cells, and empty rows
    next_row: int = 0  # index of the row that is read, including empty ones at the end
    too_large: bool = False  # the rows after the limit are missing

    def iterate(self) -> Iterator[Row]:
        """Yield the rows. Raises Invalid where they end at the limit."""
        yield from self.rows
        if self.too_large:
            raise unreadable(TOO_MANY_ELEMENTS())


def sheets(content: bytes, settings: bytes = b"") -> list[WorkbookSheet]:
    """Return the visible sheets of content.xml; raises ExpatError for invalid XML.

    `settings` is settings.xml, which names the active sheet.
    """
    reader = _Reader()
    reader.parser.Parse(content, True)
    active = ACTIVE_SHEET.search(settings)
    name = active[1].decode("utf-8", "replace") if active else ""
    return [
        WorkbookSheet(
            sheet.name,
            sheet.name == name,
            sheet.iterate(),
            tuple(sheet.merges),
            frozenset(sheet.computed),
            bool(sheet.rows),
        )
        for sheet in reader.sheets
        if not sheet.hidden
    ]


class _Reader:
    """Collects the cells of all sheets."""

    def __init__(self) -> None:
        self.sheets: list[_Sheet] = []
        self.parser: Any = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self._hidden: set[str] = set()  # styles of hidden sheets
        self._style = ""
        self._skipped = 0  # depth inside elements that are not cells
        self._tables = 0  # depth; a table within a cell is not read
        self._row: list[Cell] = []
        self._row_repeat = 1
        self._gap = 0  # empty cells that only count where another cell follows
        self._cell: dict[str, str] | None = None  # attributes of the cell that is read
        self._lines: list[str] = []  # its paragraphs
        self._in_text = 0  # depth inside a paragraph

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._skipped or name in NOT_CELLS:
            self._skipped += 1
        elif name == f"{TABLE}table":
            self._tables += 1
            if self._tables == 1:
                hidden = attributes.get(f"{TABLE}style-name", "") in self._hidden
                self.sheets.append(_Sheet(attributes.get(f"{TABLE}name", ""), hidden))
        elif name == f"{STYLE}style":
            self._style = attributes.get(f"{STYLE}name", "")
        elif name == f"{STYLE}table-properties":
            if attributes.get(f"{TABLE}display") == "false":
                self._hidden.add(self._style)
        elif self._tables != 1:
            return
        elif name == f"{TABLE}table-row":
            self._row, self._gap = [], 0
            self._row_repeat = _count(attributes, "number-rows-repeated")
        elif name in CELLS:
            self._cell, self._lines = attributes, []
        elif self._cell is not None:
            self._start_text(name, attributes)

    def _start_text(self, name: str, attributes: dict[str, str]) -> None:
        if name == f"{TEXT}p":
            self._lines.append("")
            self._in_text += 1
        elif self._in_text and name == f"{TEXT}s":
            count = attributes.get(f"{TEXT}c", "1")
            self._characters(" " * min(int(count) if count.isdecimal() else 1, 100))
        elif self._in_text and name in (f"{TEXT}tab", f"{TEXT}line-break"):
            self._characters("\t" if name.endswith("tab") else "\n")

    def _characters(self, data: str) -> None:
        if self._in_text and not self._skipped:
            self._lines[-1] += data

    def _end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif name == f"{TABLE}table":
            self._tables -= 1
        elif self._tables != 1:
            return
        elif name == f"{TEXT}p" and self._in_text:
            self._in_text -= 1
        elif name in CELLS and self._cell is not None:
            self._end_cell(name, self._cell)
            self._cell = None
        elif name == f"{TABLE}table-row":
            self._end_row(self.sheets[-1])

    def _end_cell(self, name: str, attributes: dict[str, str]) -> None:
        sheet, repeat = self.sheets[-1], _count(attributes, "number-columns-repeated")
        covered = name.endswith("covered-table-cell")  # keeps its own old value, which is not shown
        value = "" if covered else _value(attributes, "\n".join(self._lines))
        if value == "":
            self._gap += repeat
            return
        column = len(self._row) + self._gap
        if column + repeat > MAX_KEPT_COLUMNS:
            sheet.too_large = True
        if sheet.too_large:
            return
        self._row += [""] * self._gap + [value] * repeat
        self._gap = 0
        if f"{TABLE}formula" in attributes and not isinstance(value, Formula | ErrorValue):
            sheet.computed |= {(sheet.next_row, column + index) for index in range(repeat)}
        down = _count(attributes, "number-rows-spanned")
        right = _count(attributes, "number-columns-spanned")
        if down > 1 or right > 1:
            row = sheet.next_row
            sheet.merges.append(Merge(row, column, row + down - 1, column + right - 1))

    def _end_row(self, sheet: _Sheet) -> None:
        if self._row and not sheet.too_large:
            gap = sheet.next_row - len(sheet.rows)
            if gap > MAX_GAP_ROWS:
                return
            sheet.kept += gap + len(self._row) * self._row_repeat
            sheet.too_large = sheet.kept > MAX_KEPT_CELLS
            if not sheet.too_large:
                sheet.rows += [()] * gap + [tuple(self._row)] * self._row_repeat
        sheet.next_row += self._row_repeat


def _count(attributes: dict[str, str], name: str) -> int:
    """Return a number of rows or columns that an attribute gives; 1 where it does not."""
    text = attributes.get(f"{TABLE}{name}", "1")
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 9 else 1


def _value(attributes: dict[str, str], text: str) -> Cell:
    if attributes.get(CALC_TYPE) == "error":
        return ErrorValue(text.strip() or "#VALUE!")
    kind = attributes.get(f"{OFFICE}value-type", "")
    match kind:
        case "float" | "percentage" | "currency":
            return _number(attributes.get(f"{OFFICE}value", ""), text)
        case "boolean":
            return attributes.get(f"{OFFICE}boolean-value") == "true"
        case "date":
            return attributes.get(f"{OFFICE}date-value", text).removesuffix("T00:00:00")
        case "time":
            return text.strip() or attributes.get(f"{OFFICE}time-value", "")
    formula = attributes.get(f"{TABLE}formula")
    if formula is not None and not kind and not text:
        return Formula(f"={formula.partition('=')[2]}")
    return text_cell(attributes.get(f"{OFFICE}string-value", text))


def _number(value: str, text: str) -> Cell:
    try:
        number = number_cell(float(value))
    except (ValueError, OverflowError):
        return text_cell(text or value)
    shown = ZEROS_SHOWN.fullmatch(text.strip())
    if isinstance(number, int) and shown and text.strip() != str(number):
        digits = shown[1][-MAX_DIGITS:]
        if int(digits) == number and (digits != str(number) or not text.strip()[0].isdigit()):
            return Formatted(number, text.strip())
    return number
