"""What a cell may be, as tables are read."""

from __future__ import annotations

from dataclasses import dataclass

from services.errors import Invalid


@dataclass(frozen=True)
class Formula:
    """A cell that holds a formula in place of a value."""

    text: str


Cell = str | int | float | bool | Formula
Row = tuple[Cell, ...]  # an empty cell is ""


def unreadable(message: str, hint: str = "") -> Invalid:
    """It is no table that can be read."""
    return Invalid(message, field="sheet", hint=hint)
