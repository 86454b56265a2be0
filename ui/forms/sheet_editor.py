"""A sample sheet as an editable table: typed, pasted, imported, or filled from FASTQ pairs.

All cells are text on the page; the services interpret and check them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from services import sheets
from services.params.schema import is_sheet
from services.sheets import RowSchema
from ui import context
from ui.formatting import amount, plain
from ui.forms import sheet_sources
from ui.forms.form_state import restore
from ui.forms.sheet_choices import Choices
from ui.forms.sheet_sources import Table, issue_text, read

Record = dict[str, Any]
MAX_SHOWN_PROBLEMS = 20
NO_ROWS = "No rows yet. Type or paste into the table, or use a tab below."
NO_ENTRIES = "No rows yet. Type or paste into the table."


def draw(
    name: str, schema: Mapping[str, Any], rows: RowSchema, initial: Any, common: dict[str, Any]
) -> list[Record]:
    """Draw the table of a sample sheet or an array of objects; return its rows for submission."""
    key, table = common["key"], _table(common["key"])
    if key not in st.session_state:
        restore(key, None)
        if not isinstance(st.session_state[key], list):
            st.session_state[key] = _initial_rows(table, rows, initial, schema.get("default"))
    st.markdown(common["label"], help=common["help"])
    records = _grid(key, table, rows, common["label"])
    st.session_state[key] = records
    _show_problems(table, rows, records, schema)
    if is_sheet(dict(schema)):
        sheet_sources.draw(name, key, table, rows)
    return records


def _table(key: str) -> Table:
    """Return the state of a table; each form has its own."""
    form = st.session_state.get("form", "")
    table: Table | None = st.session_state.get(f"{key}:table")
    if table is None or table.form != form:
        table = st.session_state[f"{key}:table"] = Table(form)
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
    table: Table, rows: RowSchema, records: Sequence[Record], schema: Mapping[str, Any]
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
    with st.container(key=f"sheet-told-{table.version}", gap="xxsmall"):
        st.caption(
            f"{amount(len(records), 'row')}, "
            + (amount(len(errors), "problem") if errors else "no problems found.")
        )
        for issue in errors[:MAX_SHOWN_PROBLEMS]:
            st.markdown(f":red[:material/error: {plain(issue_text(issue))}]")
        if len(errors) > MAX_SHOWN_PROBLEMS:
            hidden = len(errors) - MAX_SHOWN_PROBLEMS
            st.caption(f"{amount(hidden, 'more problem')} not shown.")
