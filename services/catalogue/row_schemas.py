"""Row schemas of recognized sample sheets: from the workflow's own schema, else from a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from services import sheets
from services.catalogue import file_words
from services.catalogue.configuration import Broken, mapping
from services.errors import RundeskError
from services.params import refs

MAX_HEAD_BYTES = 256 * 1024
MAX_HEAD_ROWS = 50
MAX_HEADER_COLUMNS = 200
WORKBOOKS = (".xlsx", ".xls", ".ods")
Schema = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """The beginning of a table that a workflow ships."""

    columns: list[str]
    cells: list[Sequence[str]]  # of its first rows
    separator: str

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        if name not in self.columns:
            return []
        index = self.columns.index(name)
        return [row[index].strip() for row in self.cells if index < len(row)]


def header_of(path: Path) -> Table | None:
    """Return the beginning of the table in a file; None when there is no table."""
    if path.suffix.lower() in WORKBOOKS:
        return _workbook(path)
    with path.open("rb") as file:
        head = file.read(MAX_HEAD_BYTES)
    text = head.decode("utf-8-sig", "replace")
    if "\0" in text:
        return None
    lines = [line for line in text.splitlines() if line.strip()]
    while lines and lines[0].lstrip().startswith("#") and "\t" not in lines[0]:
        del lines[0]
    if not lines:
        return None
    separator = max("\t,;", key=lines[0].count)
    if not lines[0].count(separator):
        separator = "," if path.suffix.lower() == ".csv" else "\t"
    rows = list(csv.reader(io.StringIO("\n".join(lines[:MAX_HEAD_ROWS])), delimiter=separator))
    columns = [name.strip() for name in rows[0]]
    if len(columns) > MAX_HEADER_COLUMNS or not all(columns) or len({*columns}) < len(columns):
        return None
    return Table(columns, [row for row in rows[1:] if any(row)], separator)


def _workbook(path: Path) -> Table | None:
    try:
        sheet = sheets.read(path, {"type": "object"})
    except RundeskError:
        return None
    columns = [column.header for column in sheet.columns]
    cells = [[str(record.get(name, "")) for name in columns] for record in sheet.records]
    return Table(columns, list(cells[:MAX_HEAD_ROWS]), ",") if columns else None


def row_schema(folder: Path, path: str, table: Table | None) -> Schema:
    """Return the schema of a row, with `format: file-path` in the columns that name files.

    `path` is the workflow's own schema, relative to its folder; without one, or when it has no
    columns, the columns are those of `table`, as texts.
    """
    rows = _own(folder, path)
    if not rows.get("properties"):
        columns = table.columns if table else []
        rows = {"type": "object", "properties": {name: {"type": "string"} for name in columns}}
    properties = {}
    for name, column in rows["properties"].items():
        own = dict(column) if isinstance(column, Mapping) else {}
        cells = table.column(name) if table else []
        if _takes_text(own) and file_words.is_file_column(
            name, str(own.get("description", "")), cells
        ):
            own["format"] = "file-path"
        properties[name] = own
    return {**rows, "type": "object", "properties": properties}


def _own(folder: Path, path: str) -> Schema:
    """Return the workflow's own row schema without what is invalid; {} without one."""
    target = folder / path
    if not path or not target.is_file() or not target.resolve().is_relative_to(folder.resolve()):
        return {}
    try:
        given = mapping(target)
        inner = given.get("items", given)
        rows = refs.inlined(inner, given) if isinstance(inner, dict) else {}
    except (Broken, refs.BadReference):
        return {}
    properties = rows.get("properties")
    if not isinstance(properties, dict):
        return {}
    required = rows.get("required")
    clean: Schema = {
        "type": "object",
        "properties": {str(name): _valid(column) for name, column in properties.items()},
        "required": [str(name) for name in required] if isinstance(required, list) else [],
    }
    for key in ("description", "uniqueEntries", "mates", "anyOf", "oneOf", "dependentRequired"):
        if key in rows and _is_valid({key: rows[key]}):
            clean[key] = rows[key]
    return clean


def _valid(column: Any) -> Schema:
    """Return the schema of a column without the keywords that are invalid."""
    if not isinstance(column, dict):
        return {}
    return {key: value for key, value in column.items() if _is_valid({key: value})}


def _is_valid(schema: Schema) -> bool:
    return bool(Draft202012Validator(Draft202012Validator.META_SCHEMA).is_valid(schema))


def _takes_text(column: Schema) -> bool:
    types = column.get("type", "string")
    return "enum" not in column and "string" in ([types] if isinstance(types, str) else types)
