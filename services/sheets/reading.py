"""A table from a file: its header found, its columns named, its cells converted and checked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.errors import Invalid
from services.sheets import grid
from services.sheets.cells import Cell, Formula, Row, unreadable
from services.sheets.checking import examine
from services.sheets.model import (
    MOST_ROWS,
    Column,
    Issue,
    RowSchema,
    Sheet,
    cut,
    letter,
    simple,
)
from services.sheets.values import converted, text

WIDE_COLON = "\N{FULLWIDTH COLON}"  # as it is written in Chinese


@dataclass(frozen=True)
class _Table:
    """The rows of a sheet, with the place of its header."""

    rows: Sequence[Row]
    header: int  # from 0
    named: int  # how many columns the header names


def read(source: Path | bytes, row_schema: Mapping[str, Any]) -> Sheet:
    """The table in a csv, tsv or xlsx file; which of them is told from its content.

    Problems of rows and columns are issues of the sheet. Raises Invalid (field "sheet") or
    TooLarge when it is no table that can be read, or has no row that names the columns.
    """
    schema = RowSchema(row_schema)
    table = _table(grid.content(source), schema)
    header = table.rows[table.header]
    columns, issues = _columns(header, schema)
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    for place, row in enumerate(table.rows[table.header + 1 :], table.header + 1):
        if not any(cell != "" for cell in row):
            continue
        issues += _of_row(row, place + 1, columns, len(records))
        records.append(_record(row, columns, schema))
        numbers.append(place + 1)
    if len(records) > MOST_ROWS:
        raise unreadable(f"This sheet has more than {MOST_ROWS} rows.")
    if not records:
        issues.append(Issue(message="This sheet has no row below its header."))
    cells = {(issue.index, issue.name) for issue in issues if issue.index is not None}
    whole = {issue.name for issue in issues if issue.index is None}
    for issue in examine(records, schema, numbers, whole):
        if (issue.index, issue.name) not in cells:
            issues.append(_placed(issue, columns))
    metadata = _metadata(table.rows[: table.header])
    return Sheet(
        records=records, rows=numbers, metadata=metadata, columns=columns, issues=cut(issues)
    )


def _table(data: bytes, schema: RowSchema) -> _Table:
    """The table whose header names most of the columns that are known. Raises Invalid."""
    found = grid.tables(data)
    tables = [_with_header(rows, schema) for rows in found if not isinstance(rows, Invalid)]
    best = max(tables, key=lambda table: table.named, default=None)
    if best is not None and best.named:
        return best
    for refused in found:
        if isinstance(refused, Invalid):
            raise refused
    if best is None or not best.rows:
        raise unreadable("This sheet is empty.")
    names = [schema.title(name) for name in schema.required or schema.properties]
    raise unreadable(
        "No row of this sheet names the columns.",
        f"The table needs a header: {', '.join(names[:20])}. "
        "Of a workbook, the first sheet is read.",
    )


def _with_header(rows: Sequence[Row], schema: RowSchema) -> _Table:
    counts = [_named(row, schema) for row in rows[: grid.ABOVE]]
    named = max(counts, default=0)
    return _Table(rows, counts.index(named) if counts else 0, named)


def _named(row: Row, schema: RowSchema) -> int:
    """How many different known columns a row names."""
    names = {schema.headers.get(simple(cell)) for cell in row if isinstance(cell, str)}
    return len(names - {None})


def _columns(header: Row, schema: RowSchema) -> tuple[list[Column], list[Issue]]:
    """The columns that a header names, and what is wrong with it."""
    columns: list[Column] = []
    issues: list[Issue] = []
    taken: dict[str, str] = {}  # name → letter
    for place, cell in enumerate(header):
        words = text(cell) if not isinstance(cell, Formula) else cell.text
        name = schema.headers.get(simple(words), words)
        column = Column(
            name=name, header=words, letter=letter(place), known=name in schema.properties
        )
        if name and name in taken:
            message = f"Columns {taken[name]} and {column.letter} both are “{schema.title(name)}”."
            issues.append(_of_column(column, message, "Keep one of them."))
        elif name and not column.known:
            issues.append(_unknown(column, schema))
        taken.setdefault(name, column.letter)
        columns.append(column)
    for name in schema.required:
        if name not in taken:
            title, others = schema.title(name), schema.properties.get(name, {}).get("aliases", [])
            hint = f"It may also be headed {', '.join(map(str, others))}." if others else ""
            message = f"The column “{title}” is missing."
            issues.append(Issue(message=message, hint=hint, column=title, name=name))
    return columns, issues


def _unknown(column: Column, schema: RowSchema) -> Issue:
    known = {simple(schema.title(name)): schema.title(name) for name in schema.properties}
    near = difflib.get_close_matches(simple(column.header), known, n=1)
    hint = f"Did you mean {known[near[0]]}?" if near else ""
    if schema.closed:
        return _of_column(column, "This column is unknown.", hint or "Remove it.")
    issue = _of_column(column, "This column is unknown; it is kept as it is.", hint)
    return issue.model_copy(update={"severity": "warning"})


def _of_column(column: Column, message: str, hint: str) -> Issue:
    return Issue(message=message, hint=hint, column=column.header, name=column.name)


def _record(row: Row, columns: Sequence[Column], schema: RowSchema) -> dict[str, Any]:
    """The values of a row by the names of their columns; of two columns the first counts."""
    record: dict[str, Any] = {}
    for column, cell in zip(columns, row, strict=False):
        if cell != "" and column.name and not isinstance(cell, Formula):
            value = converted(cell, schema.properties.get(column.name, {}))
            record.setdefault(column.name, value)
    return record


def _of_row(row: Row, number: int, columns: Sequence[Column], index: int) -> list[Issue]:
    """What is wrong with cells before their values are looked at."""
    issues = []
    for place, cell in enumerate(row):
        column = columns[place] if place < len(columns) else None
        at = {"row": number, "index": index, "cell": f"{letter(place)}{number}"}
        if column and column.header:
            at |= {"column": column.header, "name": column.name}
        if isinstance(cell, Formula):
            message = f"This cell holds a formula: {cell.text[:60]}"
            hint = "Put its value there (paste it as value), or begin the text with another sign."
            issues.append(Issue(message=message, hint=hint, **at))
        elif cell != "" and not (column and column.header):
            message = f"“{_short(cell)}” stands below no header."
            hint = "A delimiter may be too many in this row, or a quotation mark missing."
            issues.append(Issue(message=message, hint=hint, **at))
    return issues


def _short(cell: Cell) -> str:
    words = text(cell)
    return words if len(words) <= 40 else f"{words[:40]}…"


def _placed(issue: Issue, columns: Sequence[Column]) -> Issue:
    """An issue of a record, with the header and the cell of the file."""
    column = next((column for column in columns if column.name == issue.name), None)
    if column is None:
        return issue
    return issue.model_copy(update={"column": column.header, "cell": f"{column.letter}{issue.row}"})


def _metadata(rows: Sequence[Row]) -> dict[str, str]:
    """Names and values above the table: in two cells, or in one as "Project: X"."""
    found: dict[str, str] = {}
    for row in rows:
        cells = [text(cell) for cell in row if cell != "" and not isinstance(cell, Formula)]
        if not cells:
            continue
        name, value = cells[0].lstrip("# "), " ".join(cells[1:])
        if not value:
            name, _, value = name.replace(WIDE_COLON, ":", 1).partition(":")
        name = name.strip().rstrip(f":{WIDE_COLON}").strip()
        if name and value.strip():
            found.setdefault(name, value.strip())
        elif name:
            found["title"] = f"{found['title']} {name}" if "title" in found else name
    return found
