"""A sample sheet as an editable table: typed, pasted, imported, or filled from FASTQ pairs.

All cells are text on the page; the services interpret and check them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from services import sheets
from services.errors import Problem
from services.params.schema import is_sheet
from services.sheets import Issue, RowSchema
from ui import context
from ui.formatting import amount, plain, plural, sentences
from ui.forms import sheet_sources
from ui.forms.form_state import FieldProblem, restore
from ui.forms.sheet_choices import Choices
from ui.forms.sheet_sources import Table, issue_text, read, replace_rows

Record = dict[str, Any]
GRID = "grid-"  # before the key of a table: the key of its grid with label and problems
MAX_SHOWN_PROBLEMS = 20
TABLE_VERSIONS = 1_000_000  # of one table; more than anyone replaces its rows
NO_ROWS = "No rows yet. Type or paste into the table, or use a tab below."
NO_ENTRIES = "No rows yet. Type or paste into the table."


def draw(
    path: str,
    schema: Mapping[str, Any],
    rows: RowSchema,
    initial: Any,
    common: dict[str, Any],
    reported: Sequence[FieldProblem],
    add_slot: Callable[[], None],
) -> list[Record]:
    """Draw the table of a sample sheet or an array of objects; return its rows for submission.

    `add_slot` draws the container for problems of the whole table.
    `reported` are the problems that a submission found in the files of the rows. They are shown
    until the rows change.
    """
    key, table = common["key"], _table(common["key"])
    name = path.rpartition(".")[2]
    if key not in st.session_state:
        restore(key, None)
        if not isinstance(st.session_state[key], list):
            st.session_state[key] = _initial_rows(table, rows, initial, schema.get("default"))
    with st.container(key=f"{GRID}{key}", gap="xsmall"):
        st.markdown(common["label"], help=common["help"])
        records = _grid(key, table, rows, common["label"])
        st.session_state[key] = records
        if table.used_rows is None:
            table.used_rows = records
        add_slot()
    left = [known.problem for known in reported if known.value == records]
    _show_problems(path, key, table, rows, records, schema, left)
    if is_sheet(dict(schema)):
        sheet_sources.draw(name, key, table, rows)
    return records


def _table(key: str) -> Table:
    """Return the state of a table; each form has its own."""
    form = st.session_state.get("form", "")
    table: Table | None = st.session_state.get(f"{key}:table")
    if table is None or table.form != form:
        # The browser keeps the edits of earlier grids, so no other table has had this version.
        version = st.session_state["tables"] = st.session_state.get("tables", 0) + TABLE_VERSIONS
        table = st.session_state[f"{key}:table"] = Table(form, version)
    return table


def _initial_rows(table: Table, rows: RowSchema, initial: Any, own: Any) -> list[Record]:
    """Return the rows of a new form: those in `initial`, or those of the file it names."""
    if isinstance(initial, list):
        return [record for record in initial if isinstance(record, dict)]
    if isinstance(initial, str) and initial != own:
        return read(table, rows, initial) or []
    return []


def _grid(key: str, table: Table, rows: RowSchema, label: str) -> list[Record]:
    """Draw the table; it gets the same data until its rows are replaced from outside."""
    grid = f"{key}:grid:{table.version}"
    if table.data is None or table.choices is None or grid not in st.session_state:
        kept: list[Record] = st.session_state[key]
        table.choices = Choices.of(rows, kept)
        table.data = _frame(table.choices.shown(kept), rows)
    edited = st.data_editor(
        table.data,
        key=grid,
        num_rows="dynamic",
        hide_index=False,
        column_config=_columns(table.data, rows, table.choices),
        placeholder="",
        alt=label.replace("\\", ""),
    )
    cells = [
        {str(name): value for name, value in row.items() if isinstance(value, str)}
        for row in edited.to_dict("records")
    ]
    records = [sheets.record(row, rows.properties) for row in cells]
    return [record for record in records if record]


def _frame(records: Sequence[Record], rows: RowSchema) -> pd.DataFrame:
    """Return rows as text, numbered from 1, with the columns of the schema, then any others."""
    names = sheets.column_names(records, rows)
    cells = {
        name: pd.array(
            [sheets.text(record[name]) if name in record else None for record in records],
            dtype="string",
        )
        for name in names
    }
    return pd.DataFrame(cells, columns=names, index=pd.RangeIndex(1, len(records) + 1))


def _columns(frame: pd.DataFrame, rows: RowSchema, choices: Choices) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in frame.columns:
        schema = rows.properties.get(name, {})
        title = str(schema.get("title", name)) + (" *" if name in rows.required else "")
        common: dict[str, Any] = {"label": title}
        common["help"] = plain(schema.get("description", "")) or None
        common["default"] = sheets.text(schema["default"]) if "default" in schema else None
        if (options := choices.options(name)) is not None:
            columns[name] = st.column_config.SelectboxColumn(
                options=list(options),
                format_func=_label_function(options),
                width="medium",
                **common,
            )
        else:
            columns[name] = st.column_config.TextColumn(**common)
    return columns


def _label_function(labels: Mapping[str, str]) -> Callable[[Any], str]:
    return lambda value: labels.get(value, str(value))


def _show_problems(
    path: str,
    key: str,
    table: Table,
    rows: RowSchema,
    records: Sequence[Record],
    schema: Mapping[str, Any],
    reported: Sequence[Problem],
) -> None:
    """Show the number of rows and their problems, cell by cell."""
    for note in table.notes:
        st.warning(plain(note), icon=":material/description:")
    if not records:
        st.caption(NO_ROWS if is_sheet(dict(schema)) else NO_ENTRIES)
        if isinstance(own := schema.get("default"), str):
            st.caption(plain(f"If you add no rows, the workflow uses its own table: {own}"))
        return
    issues = context.services().sheets.check(context.actor(), dict(rows.given), records)
    errors = [issue for issue in issues if issue.severity == "error"]
    unused = list(dict.fromkeys(issue.name for issue in errors if _is_unknown_column(issue)))
    texts = [issue_text(issue) for issue in errors if not _is_unknown_column(issue)]
    cells = {(issue.index, issue.name) for issue in errors}
    texts += [
        _reported_text(problem, cell, rows)
        for problem in reported
        if (cell := _cell(problem, path)) not in cells
    ]
    with st.container(key=f"sheet-messages-{table.version}", gap="xxsmall"):
        count = len(texts) + bool(unused)
        st.caption(
            f"{amount(len(records), 'row')}, "
            + (amount(count, "problem") if count else "no problems found.")
        )
        if unused:
            _offer_to_drop(key, table, unused)
        for text in texts[:MAX_SHOWN_PROBLEMS]:
            st.markdown(f":red[:material/error: {plain(text)}]")
        if len(texts) > MAX_SHOWN_PROBLEMS:
            hidden = len(texts) - MAX_SHOWN_PROBLEMS
            st.caption(f"{amount(hidden, 'more problem')} not shown.")


def _is_unknown_column(issue: Issue) -> bool:
    return issue.code == "unknown_field" and bool(issue.name)


def _offer_to_drop(key: str, table: Table, names: Sequence[str]) -> None:
    """Name the columns that the workflow does not use, in one line, with a button to drop them."""
    text = plural(
        len(names),
        "The workflow does not use the column {names}.",
        "The workflow does not use {count} columns: {names}.",
        names=", ".join(f"“{name}”" for name in names),
    )
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}-unused"):
        st.markdown(f":red[:material/error: {plain(text)}]", width="content")
        st.button(
            "Drop it" if len(names) == 1 else "Drop them",
            key=f"{key}-drop",
            icon=":material/delete:",
            on_click=_drop_columns,
            args=(key, table, names),
        )


def _drop_columns(key: str, table: Table, names: Sequence[str]) -> None:
    kept = [
        {name: value for name, value in record.items() if name not in names}
        for record in st.session_state[key]
    ]
    replace_rows(key, table, [record for record in kept if record])


def _cell(problem: Problem, path: str) -> tuple[int | None, str]:
    """Return the place of the row and the column that a problem of a table belongs to."""
    index, _, column = problem.field.removeprefix(f"params.{path}.").partition(".")
    return (int(index) if index.isdigit() else None), column


def _reported_text(problem: Problem, cell: tuple[int | None, str], rows: RowSchema) -> str:
    """Return a problem after its row and column, unless its sentence names the row already."""
    index, column = cell
    text = sentences(problem.message, problem.hint)
    if index is None or text.startswith("Row "):
        return text
    where = ", ".join(filter(None, [f"Row {index + 1}", rows.title(column) if column else ""]))
    return f"{where}: {text}"
