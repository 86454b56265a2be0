"""The values of cells as tables are read."""

from __future__ import annotations

from dataclasses import dataclass

from services.errors import Invalid, Text


@dataclass(frozen=True)
class Formula:
    """A cell that contains a formula instead of a value."""

    text: str


Cell = str | int | float | bool | Formula
Row = tuple[Cell, ...]  # an empty cell is ""


def unreadable(text: Text) -> Invalid:
    """Return the error for a file that cannot be read as a table."""
    return Invalid(text, field="sheet")
