"""Tab-separated tables that are safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@")


def write_table(
    path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Write `rows` as UTF-8 with one header line; missing values are empty."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([cell(row.get(column)) for column in columns])


def cell(value: Any) -> str:
    """Return a value as text: numbers with seven digits, formulas of a spreadsheet escaped."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.7g}"
    if not isinstance(value, str):
        return str(value)
    text = " ".join(value.split())
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
