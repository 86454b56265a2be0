"""Reads the cells of an Excel workbook (xlsx) after counting them."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

from services.errors import Message
from services.settings import MIB
from services.sheets.cells import Cell, Formula, Row, unreadable

MAX_UNPACKED_BYTES = 32 * MIB  # of all parts together
MAX_PARTS = 1000  # files in the zip archive that a workbook is
MAX_ELEMENTS = 1_000_000  # of XML, in all parts; a cell has two or three
MAX_ROW_CELLS = 16_384  # including empty ones; Excel's number of columns
READ_CHUNK_BYTES = 64 * 1024
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

BAD_WORKBOOK = Message(
    "unreadable_file",
    "The workbook cannot be read: {reason}.",
    hint="Open it in a spreadsheet program and save it as an Excel workbook (xlsx).",
)
KEEP_ONE_SHEET = "Keep only the sheet with the samples, or save it as CSV."
WORKBOOK_TOO_LARGE = Message(
    "file_too_large", "The workbook is larger than {limit} MiB unpacked.", hint=KEEP_ONE_SHEET
)
TOO_MANY_ELEMENTS = Message(
    "file_too_large", "The workbook has too many cells.", hint=KEEP_ONE_SHEET
)
ROW_TOO_LONG = Message(
    "wrong_length",
    "A row of the workbook has more than {limit} columns.",
    hint="Put each sample into a row of its own.",
)


def cells(data: bytes) -> Iterator[Row]:
    """Yield the rows of the first visible sheet of a workbook. Raises Invalid.

    Counting first bounds time and memory: openpyxl builds a whole row, and all shared texts, before
    it returns any of it.
    """
    try:
        _count(data)
        yield from _rows(data)
    except BROKEN as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise unreadable(BAD_WORKBOOK(reason=reason)) from None


def _count(data: bytes) -> None:
    """Raise Invalid for a workbook that is too large, regardless of the sizes it declares."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
            raise unreadable(WORKBOOK_TOO_LARGE(limit=MAX_UNPACKED_BYTES // MIB))
        counter = _Counter()
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as stream:
                    counter.read(stream)
            if counter.elements > MAX_ELEMENTS:
                raise unreadable(TOO_MANY_ELEMENTS())
            if counter.widest > MAX_ROW_CELLS:
                raise unreadable(ROW_TOO_LONG(limit=MAX_ROW_CELLS))


class _Counter:
    """Counts elements, and cells in a row, without keeping any of them."""

    def __init__(self) -> None:
        self.elements = 0
        self.widest = 0
        self._cells = 0

    def read(self, stream: Any) -> None:
        """Count the elements of a part of the workbook; stop at the limits."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._element
        while block := stream.read(READ_CHUNK_BYTES):
            parser.Parse(block)
            if self.elements > MAX_ELEMENTS or self.widest > MAX_ROW_CELLS:
                return

    def _element(self, name: str, attributes: object) -> None:  # noqa: ARG002
        self.elements += 1
        if name.endswith(" row"):
            self._cells = 0
        elif name.endswith(" c"):
            self._cells += 1
            self.widest = max(self.widest, self._cells)


def _rows(data: bytes) -> Iterator[Row]:
    import openpyxl  # here: it imports numpy, which would slow the start of every process

    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    for sheet in visible[:1]:
        sheet.reset_dimensions()  # the size that the file declares may be wrong
        for row in sheet.iter_rows():
            yield tuple(_value(cell) for cell in row)


def _value(cell: Any) -> Cell:
    """Return a cell's value; dates as ISO 8601, without a time of midnight."""
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
