"""The choices in the cells of a sample sheet: uploaded files by name, and listed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from services.models import File
from services.params.file_names import is_accepted
from services.sheets import RowSchema, text
from ui import context
from ui.formatting import printable, size


@dataclass(frozen=True)
class Choices:
    """The choices of each column: text of the cell → text that is shown.

    A cell holds the name of its file, as in a spreadsheet, or the id of the file where several
    files of the user have that name.
    """

    known: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str]  # id of a file → text of its cell

    @classmethod
    def of(cls, rows: RowSchema, records: Sequence[Mapping[str, Any]]) -> Choices:
        """Return the choices for rows; they include what the rows hold already, valid or not."""
        cells = {str(r[name]) for r in records for name in rows.files if name in r}
        offered: list[File] = st.session_state["offered"]
        files = {file.id: file for file in offered}
        files |= context.services().files.by_ids(context.actor(), cells - files.keys())
        named = context.services().files.by_names(context.actor(), {f.name for f in files.values()})
        names = {
            file.id: file.name if len(named.get(file.name, ())) == 1 else file.id
            for file in files.values()
        }
        known: dict[str, dict[str, str]] = {}
        for name, schema in rows.properties.items():
            held = {text(record[name]): "" for record in records if name in record}
            if name in rows.files:
                fitting = [f for f in files.values() if is_accepted(f.name, schema.get("pattern"))]
                labels = {names[file.id]: _label(file, names[file.id]) for file in fitting}
                known[name] = labels | {
                    cell: cell for cell in held if cell not in names and cell not in labels
                }
            elif "enum" in schema or schema.get("type") == "boolean":
                values = schema.get("enum", [True, False])
                known[name] = {text(value): text(value) for value in [*values, *held]}
        return cls(known, names)

    def options(self, column: str) -> Mapping[str, str] | None:
        """Return the choices of a column, or None if it accepts any text."""
        return self.known.get(column)

    def shown(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return rows with the ids of files replaced by the text of their cells."""
        return [
            {
                name: self.names.get(value, value) if isinstance(value, str) else value
                for name, value in record.items()
            }
            for record in records
        ]


def _label(file: File, value: str) -> str:
    """Return the name of a file; with size and time where several files have that name."""
    name = printable(file.name)
    if value == file.name:
        return name
    return f"{name}  ·  {size(file.size)}  ·  {context.local_time(file.created)}"
