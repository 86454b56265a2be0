"""The cells of an Excel workbook (xlsx), counted before they are read."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

from services.settings import MIB
from services.sheets.cells import Cell, Formula, Row, unreadable

MOST_UNPACKED = 32 * MIB  # of all that is in the file
MOST_PARTS = 1000  # files inside the file
MOST_ELEMENTS = 1_000_000  # of XML, in all parts; a cell has two or three
MOST_CELLS = 16_384  # of a row, as many as Excel has columns; empty ones count
BLOCK = 64 * 1024  # bytes read at once
BROKEN = (
    zipfile.BadZipFile,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ParseError,
    expat.ExpatError,
)


def cells(data: bytes) -> Iterator[Row]:
    """The rows of the first sheet of a workbook that is not hidden. Raises Invalid.

    Time and memory are bounded by counting first: openpyxl builds a row, and the texts that cells
    share, before it hands on any of it.
    """
    try:
        _count(data)
        yield from _rows(data)
    except BROKEN as error:
        words = " ".join(str(error).split())[:200]
        raise unreadable(
            f"This workbook cannot be read: {words}.",
            "Open it in a spreadsheet program and save it as an Excel workbook (xlsx).",
        ) from None


def _count(data: bytes) -> None:
    """Refuse a workbook that holds too much, whatever it says of itself."""
    hint = "Keep only the sheet with the samples, or save it as CSV."
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
            raise unreadable(f"This workbook holds more than {MOST_UNPACKED // MIB} MiB.", hint)
        counter = _Counter()
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as stream:
                    counter.read(stream)
            if counter.elements > MOST_ELEMENTS:
                raise unreadable("This workbook holds too many cells.", hint)
            if counter.widest > MOST_CELLS:
                raise unreadable(
                    f"A row of this workbook has more than {MOST_CELLS} columns.",
                    "Put samples into rows, one below the other.",
                )


class _Counter:
    """Counts elements, and cells in a row, without keeping any of them."""

    def __init__(self) -> None:
        self.elements = 0
        self.widest = 0
        self._cells = 0

    def read(self, stream: Any) -> None:
        """Count what a part of the workbook holds, at most until it is too much."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._element
        while block := stream.read(BLOCK):
            parser.Parse(block)
            if self.elements > MOST_ELEMENTS or self.widest > MOST_CELLS:
                return

    def _element(self, name: str, attributes: object) -> None:  # noqa: ARG002
        self.elements += 1
        if name.endswith(" row"):
            self._cells = 0
        elif name.endswith(" c"):
            self._cells += 1
            self.widest = max(self.widest, self._cells)


def _rows(data: bytes) -> Iterator[Row]:
    import openpyxl  # here: it brings numpy, for which no process should wait at its start

    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
    shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    for sheet in shown[:1]:
        sheet.reset_dimensions()  # what the file says of its size may be wrong
        for row in sheet.iter_rows():
            yield tuple(_value(cell) for cell in row)


def _value(cell: Any) -> Cell:
    """A cell's value; dates as ISO 8601, without a time of midnight."""
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f":
        return Formula(str(value))
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return str(value).strip()
