"""Previews of tables and VCF files: every cell as it is written, sorted as numbers where it is one.

A reader of tables that guesses types would show 001 as 1, 1E3 as 1000 and NA as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from services.errors import Invalid
from services.files import excerpts
from ui.formatting import amount, plain, plural, printable

MAX_ROWS = 1000  # that are shown
MAX_COLUMNS = 200  # that are shown; 1000 rows of them are less than pandas styles at most
MAX_TABLE_LENGTH = 4_000_000  # characters that are shown
MAX_UNSCROLLED_ROWS = 8  # a longer table has a filter and scrolls
MAX_SEARCHED_ROWS = 500_000  # of a filtered table
MAX_SEARCHED_LENGTH = 200_000_000  # characters of a filtered table
MAX_HEADER_LENGTH = 65536  # characters of the header of a VCF file that are shown
MAX_HEADER_LINES = 100_000  # of a VCF file; real ones have some hundred
MAX_DIGITS = 15  # of a number that is the same as a floating-point number
REPLACED = "Bytes that are not valid UTF-8 are shown as �."
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")

Row = list[str]


class NotATable(Exception):
    """The rows do not fit the columns; the file can be shown as text."""


@dataclass(frozen=True)
class _Rows:
    """The rows of a table to show, and what is said about them."""

    header: Row
    rows: list[Row]
    note: str = ""


def draw_table(path: Path, name: str, place: str, *, skip: int = 0) -> None:
    """Show the first rows of a table, or those that match a filter; `skip` lines precede it.

    `place` makes the keys of the widgets unique. Raises NotATable, and Invalid if the file cannot
    be read.
    """
    table = _first_rows(path, name, skip)
    words = "" if len(table.rows) <= MAX_UNSCROLLED_ROWS else _filter(place)
    if words:
        table = _matching_rows(words, path, name, skip)
    _draw(table, name)


def draw_variants(path: Path, name: str, place: str) -> None:
    """Show the records of a VCF file as a table, and its header in an expander.

    Raises NotATable for a file without header or records, and Invalid if it cannot be read.
    """
    header: list[str] = []
    with closing(excerpts.text_lines(path, name)) as lines:
        for line in islice(lines, MAX_HEADER_LINES):
            if not line.startswith("##"):
                break
            header.append(line)
        else:
            raise NotATable
    if not header:
        raise NotATable
    draw_table(path, name, place, skip=len(header))
    with st.expander(f"Header ({amount(len(header), 'line')})"):
        text = "".join(header)[:MAX_HEADER_LENGTH]
        st.code(printable(text), language=None, wrap_lines=True, height=260)


def _first_rows(path: Path, name: str, skip: int) -> _Rows:
    rows, length = [], 0
    with closing(excerpts.table_rows(path, name, skip=skip)) as source:
        header = next(source, None)
        if header is None:
            raise NotATable
        for row in source:
            rows.append(row)
            length += sum(map(len, row))
            if len(rows) > MAX_ROWS or length > MAX_TABLE_LENGTH:
                break
    if rows and all(len(row) == len(header) + 1 for row in rows):  # R writes no name for row names
        header = ["", *header]
    if any(len(row) > len(header) for row in rows):
        raise NotATable
    if len(rows) <= MAX_ROWS and length <= MAX_TABLE_LENGTH:
        return _Rows(header, rows)
    shown = rows[:MAX_ROWS] if len(rows) > MAX_ROWS else rows[:-1] or rows
    note = f"Showing the first {len(shown):,} rows. Download the file to get all rows."
    return _Rows(header, shown, note)


def _matching_rows(words: str, path: Path, name: str, skip: int) -> _Rows:
    """Return the rows with `words` in a cell; the search stops at the limits of this module."""
    folded, matching, searched, length, problem = words.casefold(), [], 0, 0, ""
    with closing(excerpts.table_rows(path, name, skip=skip)) as source:
        header = next(source, [])
        try:
            for searched, row in enumerate(source, 1):
                length += sum(map(len, row))
                if any(folded in cell.casefold() for cell in row):
                    matching.append(row)
                if len(matching) > MAX_ROWS:
                    break
                if searched >= MAX_SEARCHED_ROWS or length > MAX_SEARCHED_LENGTH:
                    problem = f"Only the first {searched:,} rows were searched."
                    break
        except Invalid as error:
            problem = f"Only the first {searched:,} rows were searched. {plain(error.message)}"
    width = max(map(len, matching), default=0)
    padding = [""] * (width - len(header))
    header = [*padding, *header] if len(padding) == 1 else [*header, *padding]
    return _Rows(header, matching[:MAX_ROWS], f"{_count(len(matching))} {problem}".rstrip())


def _count(count: int) -> str:
    if count > MAX_ROWS:
        return f"More than {MAX_ROWS:,} matching rows. The first {MAX_ROWS:,} are shown."
    return plural(count, "1 matching row.", "{count} matching rows.")


def _filter(place: str) -> str:
    """Draw the filter of a table; return its text."""
    words = st.text_input(
        "Filter rows",
        key=f"filter-{place}",
        type="search",
        max_chars=200,
        placeholder="Filter rows…",
        icon=":material/filter_list:",
        label_visibility="collapsed",
        width=300,
    )
    return (words or "").strip()


def _draw(table: _Rows, name: str) -> None:
    frame, labels, texts = _frame(table)
    st.dataframe(
        frame.style.format({column: known.__getitem__ for column, known in texts.items()})
        if texts and len(frame)
        else frame,
        hide_index=True,
        height="content" if len(frame) <= MAX_UNSCROLLED_ROWS else 320,
        row_height=32,
        placeholder="–",
        alt=f"Rows of {name}",
        column_config={
            column: st.column_config.Column(label=label) for column, label in labels.items()
        },
    )
    if table.note:
        st.caption(table.note)
    if len(table.header) > MAX_COLUMNS:
        st.caption(
            f"Showing the first {MAX_COLUMNS} of {len(table.header):,} columns."
            " Download the file to get all columns."
        )
    if any(excerpts.REPLACEMENT in cell for row in [table.header, *table.rows] for cell in row):
        st.caption(REPLACED)


def _frame(table: _Rows) -> tuple[pd.DataFrame, dict[str, str], dict[str, dict[float, str]]]:
    """Return the table with unique names of columns, their labels, and the texts of numbers.

    A column of numbers is numeric, so that it is sorted as numbers. Its texts map each number to
    how it is written.
    """
    columns: dict[str, Any] = {}
    labels: dict[str, str] = {}
    texts: dict[str, dict[float, str]] = {}
    for number, label in enumerate(table.header[:MAX_COLUMNS]):
        column = _unused(printable(label), columns)
        cells = [row[number] if number < len(row) else "" for row in table.rows]
        if known := _numbers(cells):
            texts[column] = known
            columns[column] = list(map(float, cells))
        else:
            columns[column] = pd.Series(cells, dtype="str")
        if column != label:
            labels[column] = printable(label) or " "
    return pd.DataFrame(columns), labels, texts


def _unused(label: str, taken: dict[str, Any]) -> str:
    """Return a name for a column that no other one has."""
    number, name = 1, label or "(1)"
    while name in taken or name == "_index":  # a name that Streamlit uses for the index
        number += 1
        name = f"{label} ({number})".strip()
    return name


def _numbers(cells: Sequence[str]) -> dict[float, str]:
    """Return how each number of a column is written; empty if the column is text.

    It is text if a cell is no number, has a leading zero or more digits than a floating-point
    number, or if a number is written in two ways.
    """
    known: dict[float, str] = {}
    for cell in cells:
        if not NUMBER.fullmatch(cell):
            return {}
        digits = re.split("[eE]", cell)[0].replace(".", "").lstrip("-0")
        value = float(cell)
        if len(digits) > MAX_DIGITS or value in (float("inf"), float("-inf")):
            return {}
        if (digits and not value) or known.setdefault(value, cell) != cell:
            return {}
    return known
