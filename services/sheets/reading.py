"""Reads a table from a file: finds its header, converts and checks its cells."""

from __future__ import annotations

import difflib
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from services.errors import Invalid, Message
from services.params.names import first_invisible, visible
from services.sheets import encodings, grid
from services.sheets.cells import Cell, ErrorValue, Formula, Grid, Row, unreadable
from services.sheets.checking import UNKNOWN_COLUMN, examine
from services.sheets.metadata import read_metadata
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
from services.sheets.values import converted, is_no_value, text

MAX_SHOWN_CHARACTERS = 40  # of a cell in a message
MAX_FORMULA_CHARACTERS = 60  # of a formula in a message
MAX_COLUMNS_NAMED = 20  # in a hint

NO_ROWS = Message("missing", "The sheet has no rows below its header.")
NO_HEADER = Message(
    "missing",
    "The sheet has no header: no row names the columns.",
    hint="The header must have the columns {columns}. Hidden sheets of a workbook are not read.",
)
DUPLICATE_COLUMN = Message(
    "duplicate_field",
    "Columns {first} and {second} are both “{column}”.",
    hint="Remove one of them.",
)
REPEATED_HEADER = Message(
    "duplicate_field", "The header occurs more than once; this column is kept as “{name}”."
)
OTHER_COLUMN_USED = Message(
    "duplicate_field",
    "Column {first} (“{header}”) was used for “{column}”; this column is kept unchanged.",
)
OTHER_COLUMN_ONLY = Message(
    "duplicate_field",
    "Column {first} (“{header}”) was used for “{column}”; this column was left out.",
)
MISSING_COLUMN = Message("missing", "The column “{column}” is missing.")
MISSING_COLUMN_ALIASES = Message(
    "missing", "The column “{column}” is missing.", hint="Its header may also be {aliases}."
)
MISSPELLED_COLUMN = Message(
    "unknown_field", UNKNOWN_COLUMN.template, hint="Did you mean {suggestion}?"
)
LEFT_OUT_COLUMN = Message(
    "unknown_field", "The workflow has no column “{column}”; it was left out."
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
ERROR_IN_CELL = Message(
    "invalid", "The cell contains the error {error}.", hint="Correct its formula, or empty it."
)
CELL_WITHOUT_HEADER = Message(
    "invalid",
    "“{value}” is in a column without a header.",
    hint="The row may have an extra delimiter or a missing quotation mark.",
)
STORED_VALUES = Message(
    "ok",
    "{count} cells contain formulas, for instance {cell}; their stored values were read.",
    one="The cell {cell} contains a formula; its stored value was read.",
)
MERGED_ROWS = Message(
    "ok",
    "{count} cells are merged with a cell above, for instance {cell}, and got its value.",
    one="The cell {cell} is merged with a cell above and got its value.",
)
MERGED_COLUMNS = Message(
    "ok",
    "{count} cells are merged with cells to their right, for instance {cell}; these are empty.",
    one="The cell {cell} is merged with cells to its right; these are empty.",
)
INVISIBLE_CHARACTERS = Message(
    "invalid_characters",
    "Invisible characters were removed from {count} cells, for instance {character} in {cell}.",
    one="The invisible character {character} was removed from the cell {cell}.",
)
DECIMAL_COMMAS = Message(
    "wrong_format",
    "The commas of {count} cells, for instance {cell}, were read as decimal points.",
    one="The comma of the cell {cell} was read as a decimal point.",
)


@dataclass(frozen=True)
class _Table:
    """A grid with the index of its header."""

    grid: Grid
    header: int  # from 0
    known: int  # number of known columns in the header
    complete: bool  # the header has every required column

    @property
    def rows(self) -> Sequence[Row]:
        return self.grid.rows


def read(source: Path | bytes, row_schema: Mapping[str, Any], name: str = "") -> Sheet:
    """Read the table in a text file (csv, tsv) or workbook (xlsx, xls, ods).

    The format is recognized by the content. `name` is that of the sheet of a workbook; without it,
    the sheet is found. Problems of rows and columns are issues of the sheet.
    Raises Invalid (field "sheet") or TooLarge when the file cannot be read as a table or has no
    header.
    """
    schema = RowSchema(row_schema)
    table = _table(grid.content(source), schema, name)
    header = table.rows[table.header]
    columns, issues = _columns(header, schema)
    issues += [Issue.of(note, severity="warning") for note in table.grid.notes]
    notes = _Notes(columns)
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, row in enumerate(table.rows[table.header + 1 :], table.header + 2):
        if not any(cell != "" for cell in row):
            continue
        issues += _row_issues(row, number, columns, len(records))
        records.append(_record(row, number, columns, schema, table.grid, notes))
        numbers.append(number)
    if len(records) > MAX_ROWS:
        raise unreadable(grid.TOO_MANY_ROWS(limit=MAX_ROWS))
    if not records:
        issues.append(Issue.of(NO_ROWS()))
    cells = {(issue.index, issue.name) for issue in issues if issue.index is not None}
    whole_columns = {
        issue.name for issue in issues if issue.index is None and issue.severity == "error"
    }
    for issue in examine(records, schema, numbers, whole_columns):
        if (issue.index, issue.name) not in cells:
            issues.append(_with_cell(issue, columns))
    _note_merges(table, notes)
    issues += notes.issues()
    return Sheet(
        records=records,
        rows=numbers,
        metadata=read_metadata(_rows_above(table)),
        columns=columns,
        issues=cut(issues),
    )


def _table(data: bytes, schema: RowSchema, name: str) -> _Table:
    """Return the first table that has every required column, or the one with the most columns.

    Raises Invalid.
    """
    tables: list[_Table] = []
    refused: list[Invalid] = []
    for candidate in grid.tables(data, name):
        if isinstance(candidate, Invalid):
            refused.append(candidate)
            continue
        table = _with_header(candidate, schema)
        tables.append(table)
        if table.complete and table.known and candidate.in_workbook:
            return table
    best = max(tables, key=lambda table: table.known, default=None)
    if best is not None and best.known:
        return best
    if refused:
        raise refused[0]
    if best is None or not any(table.rows for table in tables):
        raise unreadable(encodings.EMPTY_SHEET())
    names = [schema.title(name) for name in schema.required or schema.properties]
    raise unreadable(NO_HEADER(columns=", ".join(names[:MAX_COLUMNS_NAMED])))


def _with_header(candidate: Grid, schema: RowSchema) -> _Table:
    known = [_known_columns(row, schema) for row in candidate.rows[: grid.MAX_HEADER_ROW]]
    best = max(known, key=len, default=set())
    index = known.index(best) if known else 0
    return _Table(candidate, index, len(best), best >= set(schema.required))


def _known_columns(row: Row, schema: RowSchema) -> set[str]:
    """Return the different known columns in a row."""
    found = [schema.find_column(cell) for cell in row if isinstance(cell, str)]
    return {column[0] for column in found if column}


def _columns(header: Row, schema: RowSchema) -> tuple[list[Column], list[Issue]]:
    """Return the columns of a header, and its issues.

    Of several columns that one property may have, the one with the best header is used.
    """
    headers = [text(cell) for cell in header]
    found = [schema.find_column(words) for words in headers]
    used: dict[str, int] = {}  # index of the column by property
    for index, column in enumerate(found):
        best = found[used[column[0]]] if column and column[0] in used else None
        if column and (best is None or column[1] < best[1]):
            used[column[0]] = index
    columns: list[Column] = []
    issues: list[Issue] = []
    names = set(used)
    for index, (words, column) in enumerate(zip(headers, found, strict=True)):
        known = column is not None and used[column[0]] == index
        name = column[0] if column and known else words
        if column and not known and simple(words) == simple(headers[used[column[0]]]):
            name, issue = column[0], _duplicate(column[0], used[column[0]], index, words, schema)
            issues.append(issue)
        elif not known and words:
            name = _free_name(words, names)
            issues.append(_further_column(words, name, column, used, headers, schema))
        names.add(name)
        columns.append(Column(name=name, header=words, letter=letter(index), known=known))
    issues += [_missing_column(name, schema) for name in schema.required if name not in used]
    return columns, issues


def _free_name(words: str, names: Collection[str]) -> str:
    """Return a header as a name that no other column has."""
    return next(
        name
        for name in itertools.chain([words], (f"{words} ({number})" for number in count(2)))
        if name not in names
    )


def _duplicate(name: str, first: int, second: int, words: str, schema: RowSchema) -> Issue:
    letters = sorted((first, second))
    text = DUPLICATE_COLUMN(
        first=letter(letters[0]), second=letter(letters[1]), column=schema.title(name)
    )
    return Issue.of(text, column=words, name=name)


def _further_column(
    words: str,
    name: str,
    column: tuple[str, int] | None,
    used: Mapping[str, int],
    headers: Sequence[str],
    schema: RowSchema,
) -> Issue:
    """Return the issue of a column that no property has: an error only if it seems misspelled.

    It is kept where the schema allows further columns, and left out otherwise.
    """
    if column:
        first = used[column[0]]
        message = OTHER_COLUMN_ONLY if schema.closed else OTHER_COLUMN_USED
        further = message(
            first=letter(first), header=headers[first], column=schema.title(column[0])
        )
        return Issue.of(further, column=words, name=name, severity="warning")
    if name != words and not schema.closed:
        return Issue.of(REPEATED_HEADER(name=name), column=words, name=name, severity="warning")
    absent = [name for name in schema.properties if name not in used]
    known = {simple(schema.title(name)): schema.title(name) for name in absent}
    near = difflib.get_close_matches(simple(words), known, n=1)
    if near:
        message = MISSPELLED_COLUMN if schema.closed else MISSPELLED_KEPT_COLUMN
        severity = "error" if schema.closed else "warning"
        return Issue.of(
            message(suggestion=known[near[0]]), column=words, name=name, severity=severity
        )
    further = LEFT_OUT_COLUMN(column=words) if schema.closed else KEPT_COLUMN()
    return Issue.of(further, column=words, name=name, severity="warning")


def _missing_column(name: str, schema: RowSchema) -> Issue:
    title, aliases = schema.title(name), schema.properties.get(name, {}).get("aliases", [])
    missing = MISSING_COLUMN(column=title)
    if aliases:
        missing = MISSING_COLUMN_ALIASES(column=title, aliases=", ".join(map(str, aliases)))
    return Issue.of(missing, column=title, name=name)


class _Notes:
    """What was changed in cells while they were read: one issue for each column."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._cells: dict[tuple[Message, int], list[str]] = defaultdict(list)
        self._values: dict[tuple[Message, int], dict[str, str]] = {}

    def add(self, message: Message, column: int, number: int, **values: str) -> None:
        """Note a cell: its column from 0, and the number of its row."""
        self._cells[message, column].append(f"{letter(column)}{number}")
        self._values.setdefault((message, column), values)

    def issues(self) -> Iterator[Issue]:
        for (message, index), cells in self._cells.items():
            values = self._values[message, index]
            note = message(count=len(cells), cell=cells[0], **values)
            column = self._columns[index] if index < len(self._columns) else None
            named = {"column": column.header, "name": column.name} if column else {}
            yield Issue.of(note, severity="warning", **named)


def _record(
    row: Row,
    number: int,
    columns: Sequence[Column],
    schema: RowSchema,
    source: Grid,
    notes: _Notes,
) -> dict[str, Any]:
    """Return the values of a row by column name; of duplicate columns the first is used."""
    record: dict[str, Any] = {}
    for index, (column, cell) in enumerate(zip(columns, row, strict=False)):
        own = schema.properties.get(column.name, {})
        if cell == "" or not column.name or isinstance(cell, Formula | ErrorValue):
            continue
        if schema.closed and not column.known and not schema.find_column(column.header):
            continue
        if is_no_value(cell, own) or not (words := text(cell)):
            continue
        value = converted(cell, own, commas=True, thousands=not source.decimal_comma)
        record.setdefault(column.name, value)
        position = (number - 1, index)
        if position in source.formulas:
            notes.add(STORED_VALUES, index, number)
        if position in source.filled:
            notes.add(MERGED_ROWS, index, number)
        if isinstance(cell, str) and (character := first_invisible(cell)):
            notes.add(INVISIBLE_CHARACTERS, index, number, character=character)
        if "," in words and isinstance(value, int | float) and not isinstance(value, bool):
            notes.add(DECIMAL_COMMAS, index, number)
    return record


def _note_merges(table: _Table, notes: _Notes) -> None:
    """Note the cells of the rows that are merged across columns."""
    for merge in table.grid.merges:
        if merge.right > merge.left and table.header < merge.top < len(table.rows):
            row = table.rows[merge.top]
            if merge.left < len(row) and row[merge.left] != "":
                notes.add(MERGED_COLUMNS, merge.left, merge.top + 1)


def _rows_above(table: _Table) -> Iterator[list[str]]:
    """Yield the texts of the rows above the header, without what merged cells repeat."""
    for number, row in enumerate(table.rows[: table.header]):
        yield [
            visible(cell) if isinstance(cell, str) else text(cell)
            for column, cell in enumerate(row)
            if (number, column) not in table.grid.filled
            and not isinstance(cell, Formula | ErrorValue)
            and cell != ""
        ]


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
        elif isinstance(cell, ErrorValue):
            issues.append(Issue.of(ERROR_IN_CELL(error=cell.text[:MAX_SHOWN_CHARACTERS]), **at))
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
