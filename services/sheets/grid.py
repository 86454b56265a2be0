"""From bytes to rows of cells, bounded in time and memory whatever the bytes are."""

from __future__ import annotations

import csv
import io
import itertools
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from services.errors import Invalid, TooLarge
from services.settings import MIB
from services.sheets import workbook
from services.sheets.cells import Formula, Row, unreadable
from services.sheets.model import MOST_COLUMNS, MOST_ROWS

MOST_BYTES = 16 * MIB  # of a file
MOST_CELLS = 300_000  # of a sheet
LONGEST_LINE = MIB  # characters
ABOVE = 100  # rows above the table, its header included
DELIMITERS = "\t,;"
EMPTY_ROWS = 1000  # in a row; after as many, the sheet counts as over


def content(source: Path | bytes) -> bytes:
    """The bytes of a sheet. Raises TooLarge."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > MOST_BYTES:
        raise TooLarge(
            f"A sheet of more than {MOST_BYTES // MIB} MiB is not read.",
            field="sheet",
            hint="A sheet of samples has a line for each sample; data belong into other files.",
        )
    return source if isinstance(source, bytes) else source.read_bytes()


def tables(data: bytes) -> list[list[Row] | Invalid]:
    """The rows of a table; of text, once for each delimiter that it may have.

    What does not fit the limits by one delimiter is Invalid there. Raises Invalid when it is no
    table at all.
    """
    if data.startswith(b"PK\x03\x04"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and pictures, which do not matter here
            return [_limited(workbook.cells(data))]
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise unreadable(
            "This is a workbook of the old kind (xls), or one with a password.",
            "Save it as an Excel workbook (xlsx) without a password, or as CSV.",
        )
    text = _decoded(data)
    found: list[list[Row] | Invalid] = []
    for delimiter in [one for one in DELIMITERS if one in text] or DELIMITERS[:1]:
        try:
            found.append(_limited(_separated(text, delimiter)))
        except Invalid as error:
            found.append(error)
    return found


def _decoded(data: bytes) -> str:
    """Text in UTF-8, with or without a mark at its beginning. Raises Invalid."""
    save = "Save it as “CSV UTF-8”, or as an Excel workbook (xlsx)."
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        raise unreadable("This sheet is in UTF-16.", save)
    if (place := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, place) + 1
        raise unreadable(f"Line {line} holds a NUL character: this is no text.", save)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unreadable(f"Line {line} is not in UTF-8.", save) from None
    if not text.strip():
        raise unreadable("This sheet is empty.")
    return text


def _separated(text: str, delimiter: str) -> Iterator[Row]:
    lines = io.StringIO(text, newline="")
    try:
        for row in csv.reader(_short(lines), delimiter=delimiter, strict=True):
            cells = (cell.strip() for cell in row)
            yield tuple(Formula(cell) if cell.startswith("=") else cell for cell in cells)
    except csv.Error as error:
        raise unreadable(
            f"This sheet cannot be read as a table: {error}.",
            "A quotation mark may be open; two of them stand for one inside quoted text.",
        ) from None


def _short(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise unreadable(f"Line {number} has more than {LONGEST_LINE} characters.")
        yield line


def _limited(found: Iterable[Row]) -> list[Row]:
    """Rows without empty cells at their ends. Raises Invalid beyond the limits."""
    kept: list[Row] = []
    empty = filled = 0
    for number, row in enumerate(found, 1):
        width = len(row) - sum(1 for _ in itertools.takewhile(lambda c: c == "", reversed(row)))
        if width > MOST_COLUMNS:
            raise unreadable(
                f"Row {number} has {width} columns; a sheet may have {MOST_COLUMNS}.",
                "Put samples into rows, one below the other.",
            )
        filled += width
        if filled > MOST_CELLS:
            raise unreadable(f"This sheet has more than {MOST_CELLS} cells.")
        kept.append(row[:width])
        empty = 0 if width else empty + 1
        if empty > EMPTY_ROWS:
            break
        if len(kept) - empty > MOST_ROWS + ABOVE:
            raise unreadable(f"This sheet has more than {MOST_ROWS} rows.")
    return kept[: len(kept) - empty]
