"""Ways to fill a sample sheet beside typing: a table file, pasted rows, FASTQ files in pairs."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from services import sheets
from services.errors import Invalid, RundeskError
from services.models import File
from services.sheets import Issue, RowSchema
from ui import context
from ui.formatting import size
from ui.forms import file_fields
from ui.forms.sheet_choices import Choices

Record = dict[str, Any]
TABLES = r"\.(csv|tsv|txt|xlsx)$"
MOST_NOTES = 20


@dataclass
class Table:
    """What a table needs to be drawn again as it is; its rows are kept under the field's key."""

    form: str
    version: int = 0  # a new one makes the grid begin anew with the rows that are kept
    begun: pd.DataFrame | None = None  # what the grid of this version began with
    choices: Choices | None = None
    before: list[Record] | None = None  # what was replaced last
    notes: list[str] = field(default_factory=list)  # what was met while reading


def draw(name: str, key: str, table: Table, rows: RowSchema) -> None:
    """Other ways to fill the table than to type into it."""
    paired = pair_columns(rows)
    titles = ["Read a table", "Paste rows", *(["Pair FASTQ files"] if paired else [])]
    if rows.files and not paired:
        titles.append("Upload files")
    tabs = dict(zip(titles, st.tabs(titles), strict=True))
    with tabs["Read a table"]:
        file_fields.box(
            f"{key}-table",
            lambda file: _replace_from(key, table, rows, file),
            label=f"Table for {name}",
            slot=f"{table.form} {key}-table",
            many=False,
            pattern=TABLES,
        )
        _template(name, rows)
    with tabs["Paste rows"]:
        _paste(key, table, rows)
    if rows.files:
        with tabs[titles[2]]:
            _files(name, key, table, rows)
    if table.before is not None:
        st.button(
            "Undo: back to the rows before",
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
    st.text_area(
        "Rows of a spreadsheet, with or without their header",
        key=f"{key}-paste",
        height=120,
        placeholder="\t".join(rows.properties),
    )
    st.button(
        "Use these rows",
        key=f"{key}-use",
        icon=":material/content_paste:",
        on_click=_pasted,
        args=(key, table, rows),
    )


def _pasted(key: str, table: Table, rows: RowSchema) -> None:
    """Put pasted rows into the table; without a header the columns are those of the schema."""
    text: str = st.session_state[f"{key}-paste"].strip("\r\n")
    if not text.strip():
        return
    delimiter = "\t" if "\t" in text else ","
    try:
        sheets.read(text.encode(), rows.given)
    except Invalid:
        text = f"{delimiter.join(rows.properties)}\n{text}"
    except RundeskError as error:
        table.notes = [f"{error.message} {error.hint}"]
        return
    found = read(table, rows, io.BytesIO(text.encode()))
    if found is not None:
        _put(key, table, found)
        st.session_state[f"{key}-paste"] = ""


def _replace_from(key: str, table: Table, rows: RowSchema, file: str) -> None:
    found = read(table, rows, file)
    if found is not None:
        _put(key, table, found)


def read(table: Table, rows: RowSchema, source: str | io.BytesIO) -> list[Record] | None:
    """The rows of a table; None when it is none. What was met is noted."""
    try:
        sheet = context.services().sheets.read(context.actor(), dict(rows.given), source)
    except RundeskError as error:
        table.notes = [f"{error.message} {error.hint}".strip()]
        return None
    again = {(one.index, one.name) for one in sheets.check(sheet.records, rows.given)}
    lost = [i for i in sheet.issues if i.index is None or (i.index, i.name) not in again]
    table.notes = [sentence(issue) for issue in lost if issue.name not in rows.files][:MOST_NOTES]
    return sheet.records


def _put(key: str, table: Table, records: list[Record]) -> None:
    """Show other rows, which can be undone."""
    table.before = st.session_state[key] or None
    st.session_state[key] = records
    table.version += 1


def _undo(key: str, table: Table) -> None:
    _put(key, table, table.before or [])
    table.notes = []


def _files(name: str, key: str, table: Table, rows: RowSchema) -> None:
    """Upload the files that cells name; FASTQ files are paired by their names."""

    def arrived(file: str) -> None:
        table.version += 1  # so that it can be chosen in the table
        chosen = st.session_state.get(f"{key}-pair") or []
        st.session_state[f"{key}-pair"] = list(dict.fromkeys([*chosen, file]))

    slot = f"{table.form} {key}-files"
    file_fields.box(f"{key}-files", arrived, label=f"Files for {name}", slot=slot)
    if not pair_columns(rows):
        return
    offered: list[File] = st.session_state["offered"]
    known = {file.id: f"{file.name}  ·  {size(file.size)}" for file in offered if _fastq(file)}
    chosen = st.session_state.setdefault(f"{key}-pair", [])
    st.session_state[f"{key}-pair"] = [file for file in chosen if file in known]
    st.multiselect(
        "Files to pair by their names",
        options=list(known),
        format_func=known.__getitem__,
        key=f"{key}-pair",
        placeholder="Choose FASTQ files" if known else "No FASTQ file yet: upload some",
    )
    st.button(
        "Add a row for each pair",
        key=f"{key}-add",
        icon=":material/join_inner:",
        on_click=_add_pairs,
        args=(key, table, rows),
    )


def _fastq(file: File) -> bool:
    return file.kind == "fastq"


def _add_pairs(key: str, table: Table, rows: RowSchema) -> None:
    """Add a row for each sample of the chosen files; what has no partner is noted."""
    offered: list[File] = st.session_state["offered"]
    chosen = [file for file in offered if file.id in st.session_state[f"{key}-pair"]]
    found = sheets.pair(file.name for file in chosen)
    by_name = {file.name: file.id for file in chosen}
    columns = pair_columns(rows)
    added = []
    for record in found.records:
        row = {columns[name]: value for name, value in record.items() if name in columns}
        for name in ("fastq_1", "fastq_2"):
            if name in record and name in columns:
                row[columns[name]] = by_name[record[name]]
        added.append(row)
    kept: list[Record] = st.session_state[key]
    _put(key, table, [*kept, *added])
    st.session_state[f"{key}-pair"] = []
    table.notes = [sentence(issue) for issue in found.issues]


def pair_columns(rows: RowSchema) -> dict[str, str]:
    """Which columns take what pairing finds; empty when no column takes FASTQ files.

    By name as nf-core has them, else the first columns that fit.
    """
    if {"sample", "fastq_1"} <= rows.properties.keys():
        return {name: name for name in (*sheets.PAIRED, "lane") if name in rows.properties}
    reads = [name for name in rows.files if sheets.takes_fastq(rows.properties[name])]
    labels = [name for name in rows.properties if name not in rows.files]
    if not reads or not labels:
        return {}
    return dict(zip(sheets.PAIRED, [labels[0], *reads[:2]], strict=False))


def sentence(issue: Issue) -> str:
    """An issue with its place: the cell of a file, or row and column of the table on the page."""
    place = issue.cell or (f"Row {issue.row}" if issue.row else "")
    column = f", {issue.column}" if issue.column and not issue.cell else ""
    return f"{place}{column}: {issue.message} {issue.hint}".removeprefix(": ").strip()
