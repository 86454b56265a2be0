"""Converts the text of cells to the types of their columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from services.sheets.cells import Cell

YES, NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
INTEGER = re.compile(r"[+-]?[0-9]{1,18}(\.0+)?")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def text(cell: Cell) -> str:
    """Return a cell as people read it, in one line."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return " ".join(cell.split()) if isinstance(cell, str) else str(cell)


def converted(cell: Cell, schema: Mapping[str, Any]) -> Any:
    """Return a cell as the type of its column, or as text where it does not fit that type.

    The check reports such text later.
    """
    words = text(cell)
    for kind in column_types(schema):
        if kind == "integer" and INTEGER.fullmatch(words):
            return int(words.partition(".")[0])
        if kind == "number" and NUMBER.fullmatch(words):
            return float(words) if not INTEGER.fullmatch(words) else int(words.partition(".")[0])
        if kind == "boolean" and words.casefold() in YES | NO:
            return words.casefold() in YES
    return words


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
    """Return the first unprintable character as "U+001B"; "" where there is none."""
    if value.isprintable():
        return ""
    for character in value:
        if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn"):
            return f"U+{ord(character):04X}"
    return ""


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {int: "integer", float: "number"}.get(type(value), "string")
