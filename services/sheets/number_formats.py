"""Numbers as the formats of spreadsheets show them, where that adds zeros or text."""

from __future__ import annotations

import re

from services.sheets.cells import Cell, Formatted

#: A part of a number format: a digit or fixed text.
PART = re.compile(r'(?P<zero>0)|"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|(?P<plain>[- _])')


def number_cell(value: float, number_format: str = "General") -> Cell:
    """Return the cell of a number: 7 is shown as 0007 with the format 0000, S007 with "S"000."""
    if isinstance(value, float):
        if not value.is_integer():
            return value
        value = int(value)
    if value < 0 or "0" not in number_format:
        return value
    shown = _with_zeros(value, number_format.split(";")[0])
    return Formatted(value, shown) if shown and shown != str(value) else value


def _with_zeros(value: int, number_format: str) -> str:
    """Return a number as a format of zeros and fixed text shows it; "" for any other format.

    Fixed text only after the number is a unit (5 mg), which is not part of a name.
    """
    parts: list[str | None] = []  # None: a digit
    position = 0
    while position < len(number_format):
        match = PART.match(number_format, position)
        if match is None:
            return ""
        fixed = match["quoted"] or match["escaped"] or match["plain"] or ""
        parts.append(None if match["zero"] else fixed)
        position = match.end()
    zeros = parts.count(None)
    if not zeros or (zeros == 1 and parts[0] is None):
        return ""
    digits, first = str(value).zfill(zeros), parts.index(None)
    shown = ""
    for index in reversed(range(len(parts))):
        part = parts[index]
        if part is None:
            count = len(digits) if index == first else 1
            part, digits = digits[-count:], digits[:-count]
        shown = part + shown
    return shown
