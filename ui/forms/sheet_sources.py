"""Ways to fill a sample sheet without typing: a table file, pasted rows, pairs of FASTQ files."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from services import sheets
from services.errors import Invalid, RundeskError
from services.models import File
from services.runs.samplesheets import pair_files
from services.sheets import Issue, RowSchema
from ui import context
from ui.formatting import plural, size
from ui.forms import file_fields, form_state
from ui.forms.sheet_choices import Choices

Record = dict[str, Any]
TABLES = r"\.(csv|tsv|txt|xlsx|xlsm|xls|ods)$"
MAX_NOTES = 20

IMPORT, PASTE = "Import a table", "Paste from Excel"
PASTED = "-paste"  # after the key of a table: the key of the field for pasted rows
UPLOADED = ("", "-table", "-files")  # after the key of a field: the keys of its upload boxes


@dataclass
class Table:
    """The state of a table between two drawings; its rows are kept under the key of the field."""

    form: str
    version: int = 0  # a new version makes the grid start from the kept rows
    data: pd.DataFrame | None = None  # what the grid of this version started from
    choices: Choices | None = None
    previous: list[Record] | None = None  # the rows that were replaced last
    notes: list[str] = field(default_factory=list)  # about the table that was read last
    used: str = ""  # the pasted text that became the rows last
    used_rows: list[Record] | None = None  # these rows as drawn; None until they are

    def has_pasted(self, text: str, records: list[Record]) -> bool:
        """Return whether the rows are those of a pasted text that the browser still shows.

        It does until the page is drawn again after “Use these rows”.
        """
        return text == self.used and records == self.used_rows


def draw(name: str, key: str, table: Table, rows: RowSchema) -> None:
    """Draw the tabs with the other ways to fill the table."""
    paired = bool(sheets.pair_columns(rows))
    titles = [IMPORT, PASTE, *(["Pair FASTQ files"] if paired else [])]
    if rows.files and not paired:
        titles.append("Upload files")
    tabs = dict(zip(titles, st.tabs(titles), strict=True))
    with tabs[IMPORT]:
        file_fields.box(
            f"{key}-table",
            lambda file: _import(key, table, rows, file),
            label=f"Table for {name}",
            slot=f"{table.form} {key}-table",
            many=False,
            pattern=TABLES,
        )
        _template(name, rows)
    with tabs[PASTE]:
        _paste(key, table, rows)
    if rows.files:
        with tabs[titles[2]]:
            _files(name, key, table, rows)
    if table.previous is not None:
        st.button(
            "Undo: restore the previous rows",
            key=f"{key}-undo",
            icon=":material/undo:",
            type="tertiary",
            on_click=_undo,
            args=(key, table),
        )


def _template(name: str, rows: RowSchema) -> None:
    st.download_button(
        "Download an empty table",
        data=sheets.as_text([], dict(rows.given), delimiter=","),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key=f"template-{name}",
    )


def _paste(key: str, table: Table, rows: RowSchema) -> None:
    pasted = f"{key}{PASTED}"
    st.text_area(
        "Rows copied from a spreadsheet, with or without the header row",
        value=form_state.restore(pasted, ""),
        key=pasted,
        height=120,
        placeholder="\t".join(rows.properties),
    )
    form_state.keep(pasted)
    st.button(
        "Use these rows",
        key=f"{key}-use",
        icon=":material/content_paste:",
        on_click=_use_pasted,
        args=(key, table, rows),
    )


def _use_pasted(key: str, table: Table, rows: RowSchema) -> None:
    """Put pasted rows into the table; without a header row, columns are in the schema's order."""
    text: str = st.session_state[f"{key}{PASTED}"].strip("\r\n")
    if not text.strip():
        return
    delimiter = "\t" if "\t" in text else ","
    try:
        sheets.read(text.encode(), rows.given)
    except Invalid:
        text = f"{delimiter.join(rows.properties)}\n{text}"
    except RundeskError as error:
        table.notes = [_error_text(error)]
        return
    records = read(table, rows, io.BytesIO(text.encode()))
    if records is not None:
        replace_rows(key, table, records)
        table.used, table.used_rows = st.session_state[f"{key}{PASTED}"], None
        st.session_state[f"{key}{PASTED}"] = ""


def _import(key: str, table: Table, rows: RowSchema, file: str) -> None:
    records = read(table, rows, file)
    if records is not None:
        replace_rows(key, table, records)


def read(table: Table, rows: RowSchema, source: str | io.BytesIO) -> list[Record] | None:
    """Return the rows of a table, or None if it cannot be read; note what is not in the rows."""
    try:
        sheet = context.services().sheets.read(context.actor(), dict(rows.given), source)
    except RundeskError as error:
        table.notes = [_error_text(error)]
        return None
    checked = sheets.check(sheet.records, rows.given)
    shown = {(issue.index, issue.name) for issue in checked if issue.severity == "error"}
    lost = [i for i in sheet.issues if i.index is None or (i.index, i.name) not in shown]
    # The table itself names files that do not exist, and offers to drop columns that it still has.
    noted = [i for i in lost if i.index is None or i.name not in rows.files]
    left_out = [issue.column for issue in noted if _is_left_out(issue, rows)]
    notes = [issue_text(issue) for issue in noted if issue.code != "unknown_field"]
    table.notes = [*_left_out_note(left_out), *notes][:MAX_NOTES]
    return sheet.records


def _is_left_out(issue: Issue, rows: RowSchema) -> bool:
    """Return whether an issue is about a column that reading has left out."""
    is_unknown = issue.code == "unknown_field" and issue.severity == "warning"
    return is_unknown and rows.closed


def _left_out_note(columns: list[str]) -> list[str]:
    """Return one sentence about all columns that are not in the rows; none if there are none."""
    if not columns:
        return []
    text = plural(
        len(columns),
        "The column {names} was left out because the workflow does not use it.",
        "{count} columns were left out because the workflow does not use them: {names}.",
        names=", ".join(f"“{name}”" for name in columns),
    )
    return [text]


def replace_rows(key: str, table: Table, records: list[Record]) -> None:
    """Show other rows, and keep the previous ones for undo."""
    table.previous = st.session_state[key] or None
    st.session_state[key] = records
    table.version += 1


def _undo(key: str, table: Table) -> None:
    replace_rows(key, table, table.previous or [])
    table.notes = []


def _files(name: str, key: str, table: Table, rows: RowSchema) -> None:
    """Draw an upload box for the files that cells name, and a field to pair FASTQ files."""

    def arrived(file: str) -> None:
        table.version += 1  # so that the table offers it
        chosen = st.session_state.get(f"{key}-pair") or []
        st.session_state[f"{key}-pair"] = list(dict.fromkeys([*chosen, file]))

    slot = f"{table.form} {key}-files"
    file_fields.box(f"{key}-files", arrived, label=f"Files for {name}", slot=slot)
    if not sheets.pair_columns(rows):
        return
    offered: list[File] = st.session_state["offered"]
    known = {file.id: f"{file.name}  ·  {size(file.size)}" for file in offered if _fastq(file)}
    chosen = form_state.restore(f"{key}-pair", [])
    st.session_state[f"{key}-pair"] = [file for file in chosen if file in known]
    st.multiselect(
        "FASTQ files to pair by name",
        options=list(known),
        format_func=known.__getitem__,
        key=f"{key}-pair",
        placeholder="Select FASTQ files" if known else "No FASTQ files yet",
    )
    form_state.keep(f"{key}-pair")
    st.button(
        "Add one row per pair",
        key=f"{key}-add",
        icon=":material/join_inner:",
        on_click=_add_pairs,
        args=(key, table, rows),
    )


def _fastq(file: File) -> bool:
    return file.kind == "fastq"


def _add_pairs(key: str, table: Table, rows: RowSchema) -> None:
    """Add a row for each sample of the selected files; note files without a mate."""
    offered: list[File] = st.session_state["offered"]
    chosen = [file for file in offered if file.id in st.session_state[f"{key}-pair"]]
    pairs = pair_files(chosen, rows.given)
    kept: list[Record] = st.session_state[key]
    replace_rows(key, table, [*kept, *pairs.records])
    st.session_state[f"{key}-pair"] = []
    table.notes = [issue_text(issue) for issue in pairs.issues]


def issue_text(issue: Issue) -> str:
    """Return an issue after its cell in the file, or after its row and column on the page."""
    row = f"Row {issue.row}" if issue.row else ""
    where = issue.cell or ", ".join(filter(None, [row, issue.column]))
    text = f"{issue.message} {issue.hint}".strip()
    return f"{where}: {text}" if where else text


def _error_text(error: RundeskError) -> str:
    return f"{error.message} {error.hint}".strip()
