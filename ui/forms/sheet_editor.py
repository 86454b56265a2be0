"""A sample sheet as a table to fill in: typed, pasted, read from a file, or of paired FASTQ files.

All cells are text on the page; what they mean, and what is wrong with them, the services say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from services import sheets
from services.params.schema import is_sheet
from services.sheets import RowSchema
from ui import context
from ui.formatting import amount, plain
from ui.forms import sheet_sources
from ui.forms.form_state import begin
from ui.forms.sheet_choices import Choices
from ui.forms.sheet_sources import Table, read, sentence

Record = dict[str, Any]
TOLD = 20  # problems shown at once


def draw(
    name: str, schema: Mapping[str, Any], rows: RowSchema, initial: Any, common: dict[str, Any]
) -> list[Record]:
    """Draw the table of a sample sheet or an array of objects; its rows as they are submitted."""
    key, table = common["key"], _table(common["key"])
    if key not in st.session_state:
        begin(key, None)
        if not isinstance(st.session_state[key], list):
            st.session_state[key] = _begun(table, rows, initial, schema.get("default"))
    st.markdown(common["label"], help=common["help"])
    records = _grid(key, table, rows, common["label"])
    st.session_state[key] = records
    _tell(table, rows, records, schema)
    if is_sheet(dict(schema)):
        sheet_sources.draw(name, key, table, rows)
    return records


def _table(key: str) -> Table:
    """The state of a table; a new form has a new one."""
    form = st.session_state.get("form", "")
    found: Table | None = st.session_state.get(f"{key}:table")
    if found is None or found.form != form:
        found = st.session_state[f"{key}:table"] = Table(form)
    return found


def _begun(table: Table, rows: RowSchema, initial: Any, own: Any) -> list[Record]:
    """The rows to begin with: those given, or those of a registered sheet."""
    if isinstance(initial, list):
        return [record for record in initial if isinstance(record, dict)]
    if isinstance(initial, str) and initial != own:
        return read(table, rows, initial) or []
    return []


def _grid(key: str, table: Table, rows: RowSchema, label: str) -> list[Record]:
    """The table itself. It is given the same data until its rows are replaced from elsewhere."""
    grid = f"{key}:grid:{table.version}"
    if table.begun is None or table.choices is None or grid not in st.session_state:
        kept: list[Record] = st.session_state[key]
        table.choices = Choices.of(rows, kept)
        table.begun = _frame(table.choices.shown(kept), rows)
    edited = st.data_editor(
        table.begun,
        key=grid,
        num_rows="dynamic",
        hide_index=False,
        column_config=_columns(table.begun, rows, table.choices),
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
    """Rows as text, numbered from 1; every column of the schema, then further ones."""
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
    found: dict[str, Any] = {}
    for name in frame.columns:
        schema = rows.properties.get(name, {})
        title = str(schema.get("title", name)) + (" *" if name in rows.required else "")
        common = {"label": title, "help": plain(schema.get("description", "")) or None}
        common["default"] = sheets.text(schema["default"]) if "default" in schema else None
        if (options := choices.options(name)) is not None:
            found[name] = st.column_config.SelectboxColumn(
                options=list(options),
                format_func=lambda value, known=options: known.get(value, value),
                width="medium",
                **common,
            )
        else:
            found[name] = st.column_config.TextColumn(**common)
    return found


def _tell(
    table: Table, rows: RowSchema, records: Sequence[Record], schema: Mapping[str, Any]
) -> None:
    """How many rows there are, and what is wrong with them, cell by cell."""
    for note in table.notes:
        st.warning(plain(note), icon=":material/description:")
    if not records:
        ways = "or fill it from below" if is_sheet(dict(schema)) else "or add a row"
        st.caption(f"No rows yet. Type into the table, paste into it, {ways}.")
        if isinstance(own := schema.get("default"), str):
            st.caption(plain(f"Without rows the workflow's own table is used: {own}"))
        return
    issues = context.services().sheets.check(context.actor(), dict(rows.given), records)
    wrong = [issue for issue in issues if issue.severity == "error"]
    with st.container(key=f"sheet-told-{table.version}", gap="xxsmall"):
        st.caption(
            f"{amount(len(records), 'row')}"
            + (f", {amount(len(wrong), 'thing')} to mend" if wrong else ". All is in order.")
        )
        for issue in wrong[:TOLD]:
            st.markdown(f":red[:material/error: {plain(sentence(issue))}]")
        if len(wrong) > TOLD:
            st.caption(f"And {len(wrong) - TOLD} more.")
