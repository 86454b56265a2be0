"""The values of cells as tables are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.errors import Invalid, Message, Text
from services.params.names import visible

KEEP_ONE_SHEET = "Keep only the sheet with the samples, or save it as CSV."
TOO_MANY_ELEMENTS = Message(
    "file_too_large", "The workbook has too many cells.", hint=KEEP_ONE_SHEET
)


@dataclass(frozen=True)
class Formula:
    """A cell that contains a formula without a stored value."""

    text: str


@dataclass(frozen=True)
class ErrorValue:
    """A cell whose formula ended in an error, such as #REF!."""

    text: str


@dataclass(frozen=True)
class Formatted:
    """A number whose format shows more than the number: 0007, S007."""

    value: int
    shown: str


Cell = str | int | float | bool | Formula | ErrorValue | Formatted
Row = tuple[Cell, ...]  # an empty cell is ""
Position = tuple[int, int]  # row and column, from 0


@dataclass(frozen=True)
class Merge:
    """A range of merged cells, with rows and columns from 0, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class WorkbookSheet:
    """A visible sheet of a workbook, as the reader of its format returns it."""

    name: str
    active: bool
    rows: Iterable[Row]  # read when they are iterated over; may raise Invalid
    merges: tuple[Merge, ...] = ()
    formulas: frozenset[Position] = frozenset()  # cells whose stored values are in `rows`
    filled: bool = True  # whether it has any value


@dataclass(frozen=True)
class Grid:
    """The rows of a table with what the file says about them."""

    rows: list[Row]
    notes: tuple[Text, ...] = ()  # how it was read, where that is not obvious
    merges: tuple[Merge, ...] = ()
    formulas: frozenset[Position] = frozenset()  # cells whose stored values were read
    filled: Mapping[Position, Merge] = field(default_factory=dict)  # cells that a merge covers
    in_workbook: bool = False
    decimal_comma: bool = False  # its delimiter is a semicolon, as where commas are decimal


#: As Excel shows errors in several languages, and LibreOffice some of its own.
ERROR_VALUE = re.compile(
    r"#¡?[A-ZÀ-Ý][A-ZÀ-Ý/0_]{1,14}[!?]|#(N/A|N/D|NV|GETTING_DATA)|Err:[0-9]{3}"
)


def text_cell(text: str) -> Cell:
    """Return a cell that contains text; the text of an error is an error."""
    text = text.strip()
    if not visible(text).strip():
        return ""
    return ErrorValue(text) if ERROR_VALUE.fullmatch(text) else text


def unreadable(text: Text) -> Invalid:
    """Return the error for a file that cannot be read as a table."""
    return Invalid(text, field="sheet")
