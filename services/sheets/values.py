"""Converts the text of cells to the types of their columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from services.params.names import first_invisible, visible
from services.sheets.cells import Cell, ErrorValue, Formatted, Formula

YES, NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
INTEGER = re.compile(r"[+-]?[0-9]{1,18}(\.0+)?")
#: A comma before three digits may also separate thousands.
DECIMAL_COMMA = re.compile(r"[+-]?([0-9]*),([0-9]+)([eE][+-]?[0-9]{1,3})?")
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
#: Words of SDRF for values that do not exist.
NO_VALUE = frozenset({"not available", "not applicable"})
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def text(cell: Cell) -> str:
    """Return a cell as people read it, in one line, without invisible characters."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Formatted):
        return text(cell.shown)
    if isinstance(cell, Formula | ErrorValue):
        return text(cell.text)
    return " ".join(visible(cell).split()) if isinstance(cell, str) else str(cell)


def converted(
    cell: Cell, schema: Mapping[str, Any], *, commas: bool = False, thousands: bool = False
) -> Any:
    """Return a cell as the type of its column, or as text where it does not fit that type.

    With `commas`, a comma in a number is a decimal point, except before three digits where
    `thousands` says that it may separate thousands. The check reports text later.
    """
    words = text(cell)
    kinds = column_types(schema)
    for kind in kinds:
        number = str(cell.value) if isinstance(cell, Formatted) else words
        if commas and "string" not in kinds and not (thousands and THOUSANDS.fullmatch(number)):
            number = DECIMAL_COMMA.sub(lambda match: match[0].replace(",", "."), number, count=1)
        if kind == "integer" and INTEGER.fullmatch(number):
            return int(number.partition(".")[0])
        if kind == "number" and NUMBER.fullmatch(number):
            is_whole = INTEGER.fullmatch(number)
            return int(number.partition(".")[0]) if is_whole else float(number)
        if kind == "boolean" and words.casefold() in YES | NO:
            return words.casefold() in YES
    return words


def is_no_value(cell: Cell, schema: Mapping[str, Any]) -> bool:
    """Return whether a cell says that there is no value, in a column that is not text."""
    return text(cell).casefold() in NO_VALUE and "string" not in column_types(schema)


def record(cells: Mapping[str, str], properties: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a row of texts as a record: cells converted to their types, empty ones omitted."""
    return {
        name: converted(cell, properties.get(name, {}))
        for name, cell in cells.items()
        if cell.strip()
    }


def column_types(schema: Mapping[str, Any]) -> list[str]:
    """Return the types of a column; those that text must be converted to come first."""
    given = schema.get("type") or [_kind(value) for value in schema.get("enum", ["text"])]
    names = [given] if isinstance(given, str) else [str(kind) for kind in given]
    order = ("integer", "number", "boolean", "string")
    return sorted(
        dict.fromkeys(names), key=lambda kind: order.index(kind) if kind in order else len(order)
    )


def unprintable(value: str) -> str:
    """Return the first unprintable or invisible character as "U+001B"; "" where there is none."""
    if value.isascii() and value.isprintable():
        return ""
    for character in value:
        if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn"):
            return f"U+{ord(character):04X}"
    return first_invisible(value)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {int: "integer", float: "number"}.get(type(value), "string")
