"""Reads a table from a file: finds its header, converts and checks its cells."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.errors import Invalid, Message
from services.sheets import grid
from services.sheets.cells import Cell, Formula, Row, unreadable
from services.sheets.checking import UNKNOWN_COLUMN, examine
from services.sheets.model import (
    MAX_ROWS,
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
MAX_SHOWN_CHARACTERS = 40  # of a cell in a message
MAX_FORMULA_CHARACTERS = 60  # of a formula in a message
MAX_COLUMNS_NAMED = 20  # in a hint

NO_ROWS = Message("missing", "The sheet has no rows below its header.")
NO_HEADER = Message(
    "missing",
    "The sheet has no header: no row names the columns.",
    hint="The header must have the columns {columns}. Only the first sheet of a workbook is read.",
)
DUPLICATE_COLUMN = Message(
    "duplicate_field",
    "Columns {first} and {second} are both “{column}”.",
    hint="Remove one of them.",
)
MISSING_COLUMN = Message("missing", "The column “{column}” is missing.")
MISSING_COLUMN_ALIASES = Message(
    "missing", "The column “{column}” is missing.", hint="Its header may also be {aliases}."
)
REMOVE_COLUMN = Message("unknown_field", UNKNOWN_COLUMN.template, hint="Remove it.")
MISSPELLED_COLUMN = Message(
    "unknown_field", UNKNOWN_COLUMN.template, hint="Did you mean {suggestion}?"
)
KEPT_COLUMN = Message("unknown_field", "Unknown column; its values are kept unchanged.")
MISSPELLED_KEPT_COLUMN = Message(
    "unknown_field", KEPT_COLUMN.template, hint="Did you mean {suggestion}?"
)
FORMULA = Message(
    "wrong_type",
    "The cell contains a formula: {formula}",
    hint="Paste its value instead; text must not start with “=”.",
)
CELL_WITHOUT_HEADER = Message(
    "invalid",
    "“{value}” is in a column without a header.",
    hint="The row may have an extra delimiter or a missing quotation mark.",
)


@dataclass(frozen=True)
class _Table:
    """The rows of a sheet, with the index of its header."""

    rows: Sequence[Row]
    header: int  # from 0
    known: int  # number of known columns in the header


def read(source: Path | bytes, row_schema: Mapping[str, Any]) -> Sheet:
    """Read the table in a csv, tsv or xlsx file; the format is recognized by the content.

    Problems of rows and columns are issues of the sheet. Raises Invalid (field "sheet") or
    TooLarge when the file cannot be read as a table or has no header.
    """
    schema = RowSchema(row_schema)
    table = _table(grid.content(source), schema)
    header = table.rows[table.header]
    columns, issues = _columns(header, schema)
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, row in enumerate(table.rows[table.header + 1 :], table.header + 2):
        if not any(cell != "" for cell in row):
            continue
        issues += _row_issues(row, number, columns, len(records))
        records.append(_record(row, columns, schema))
        numbers.append(number)
    if len(records) > MAX_ROWS:
        raise unreadable(grid.TOO_MANY_ROWS(limit=MAX_ROWS))
    if not records:
        issues.append(Issue.of(NO_ROWS()))
    cells = {(issue.index, issue.name) for issue in issues if issue.index is not None}
    whole_columns = {issue.name for issue in issues if issue.index is None}
    for issue in examine(records, schema, numbers, whole_columns):
        if (issue.index, issue.name) not in cells:
            issues.append(_with_cell(issue, columns))
    metadata = _metadata(table.rows[: table.header])
    return Sheet(
        records=records, rows=numbers, metadata=metadata, columns=columns, issues=cut(issues)
    )


def _table(data: bytes, schema: RowSchema) -> _Table:
    """Return the table whose header has the most known columns. Raises Invalid."""
    candidates = grid.tables(data)
    tables = [_with_header(rows, schema) for rows in candidates if not isinstance(rows, Invalid)]
    best = max(tables, key=lambda table: table.known, default=None)
    if best is not None and best.known:
        return best
    for candidate in candidates:
        if isinstance(candidate, Invalid):
            raise candidate
    if best is None or not best.rows:
        raise unreadable(grid.EMPTY_SHEET())
    names = [schema.title(name) for name in schema.required or schema.properties]
    raise unreadable(NO_HEADER(columns=", ".join(names[:MAX_COLUMNS_NAMED])))


def _with_header(rows: Sequence[Row], schema: RowSchema) -> _Table:
    counts = [_known_columns(row, schema) for row in rows[: grid.MAX_HEADER_ROW]]
    known = max(counts, default=0)
    return _Table(rows, counts.index(known) if counts else 0, known)


def _known_columns(row: Row, schema: RowSchema) -> int:
    """Return the number of different known columns in a row."""
    names = {schema.headers.get(simple(cell)) for cell in row if isinstance(cell, str)}
    return len(names - {None})


def _columns(header: Row, schema: RowSchema) -> tuple[list[Column], list[Issue]]:
    """Return the columns of a header, and its issues."""
    columns: list[Column] = []
    issues: list[Issue] = []
    letters: dict[str, str] = {}  # by name
    for index, cell in enumerate(header):
        words = text(cell) if not isinstance(cell, Formula) else cell.text
        name = schema.headers.get(simple(words), words)
        column = Column(
            name=name, header=words, letter=letter(index), known=name in schema.properties
        )
        if name and name in letters:
            duplicate = DUPLICATE_COLUMN(
                first=letters[name], second=column.letter, column=schema.title(name)
            )
            issues.append(Issue.of(duplicate, column=words, name=name))
        elif name and not column.known:
            issues.append(_unknown_column(column, schema))
        letters.setdefault(name, column.letter)
        columns.append(column)
    for name in schema.required:
        if name not in letters:
            issues.append(_missing_column(name, schema))
    return columns, issues


def _missing_column(name: str, schema: RowSchema) -> Issue:
    title, aliases = schema.title(name), schema.properties.get(name, {}).get("aliases", [])
    missing = MISSING_COLUMN(column=title)
    if aliases:
        missing = MISSING_COLUMN_ALIASES(column=title, aliases=", ".join(map(str, aliases)))
    return Issue.of(missing, column=title, name=name)


def _unknown_column(column: Column, schema: RowSchema) -> Issue:
    """Return an error where the schema allows no further columns, else a warning."""
    known = {simple(schema.title(name)): schema.title(name) for name in schema.properties}
    near = difflib.get_close_matches(simple(column.header), known, n=1)
    if near:
        misspelled = MISSPELLED_COLUMN if schema.closed else MISSPELLED_KEPT_COLUMN
        unknown = misspelled(suggestion=known[near[0]])
    else:
        unknown = REMOVE_COLUMN() if schema.closed else KEPT_COLUMN()
    severity = "error" if schema.closed else "warning"
    return Issue.of(unknown, column=column.header, name=column.name, severity=severity)


def _record(row: Row, columns: Sequence[Column], schema: RowSchema) -> dict[str, Any]:
    """Return the values of a row by column name; of duplicate columns the first is used."""
    record: dict[str, Any] = {}
    for column, cell in zip(columns, row, strict=False):
        if cell != "" and column.name and not isinstance(cell, Formula):
            value = converted(cell, schema.properties.get(column.name, {}))
            record.setdefault(column.name, value)
    return record


def _row_issues(row: Row, number: int, columns: Sequence[Column], index: int) -> list[Issue]:
    """Return the issues of cells that do not depend on their values."""
    issues = []
    for column_index, cell in enumerate(row):
        column = columns[column_index] if column_index < len(columns) else None
        at = {"row": number, "index": index, "cell": f"{letter(column_index)}{number}"}
        if column and column.header:
            at |= {"column": column.header, "name": column.name}
        if isinstance(cell, Formula):
            formula = FORMULA(formula=cell.text[:MAX_FORMULA_CHARACTERS])
            issues.append(Issue.of(formula, **at))
        elif cell != "" and not (column and column.header):
            issues.append(Issue.of(CELL_WITHOUT_HEADER(value=_short(cell)), **at))
    return issues


def _short(cell: Cell) -> str:
    words = text(cell)
    shown = words[:MAX_SHOWN_CHARACTERS]
    return words if words == shown else f"{shown}…"


def _with_cell(issue: Issue, columns: Sequence[Column]) -> Issue:
    """Return an issue of a record with the header and the cell of the file."""
    column = next((column for column in columns if column.name == issue.name), None)
    if column is None:
        return issue
    return issue.model_copy(update={"column": column.header, "cell": f"{column.letter}{issue.row}"})


def _metadata(rows: Sequence[Row]) -> dict[str, str]:
    """Return names and values above the table: in two cells, or in one as "Project: X"."""
    metadata: dict[str, str] = {}
    for row in rows:
        cells = [text(cell) for cell in row if cell != "" and not isinstance(cell, Formula)]
        if not cells:
            continue
        name, value = cells[0].lstrip("# "), " ".join(cells[1:])
        if not value:
            name, _, value = name.replace(WIDE_COLON, ":", 1).partition(":")
        name = name.strip().rstrip(f":{WIDE_COLON}").strip()
        if name and value.strip():
            metadata.setdefault(name, value.strip())
        elif name:
            metadata["title"] = f"{metadata['title']} {name}" if "title" in metadata else name
    return metadata
