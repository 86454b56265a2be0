"""Writes a table to a file, as the workflows read it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.host.atomic import write_atomically
from services.sheets.model import RowSchema
from services.sheets.values import text

#: Delimiters by the suffix of the file.
DELIMITERS = {".tsv": "\t", ".csv": ","}


def suffix(field: Mapping[str, Any]) -> str:
    """Return the suffix of the table of a sample sheet parameter: ".csv" or ".tsv"."""
    if field.get("suffix") in DELIMITERS:
        return str(field["suffix"])
    values = (str(field.get(key, "")) for key in ("mimetype", "default", "pattern"))
    return ".csv" if "csv" in " ".join(values) else ".tsv"


def write(
    records: Sequence[Mapping[str, Any]],
    path: Path,
    row_schema: Mapping[str, Any],
    *,
    delimiter: str = "\t",
) -> None:
    """Write every column of the schema, including empty ones, then further ones of the records.

    The file is UTF-8 with a header and one line for each row. It appears at `path` complete.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as file:
        file.write(as_text(records, row_schema, delimiter=delimiter))


def as_text(
    records: Sequence[Mapping[str, Any]], row_schema: Mapping[str, Any], *, delimiter: str = "\t"
) -> str:
    """Return the text that `write` writes."""
    names = column_names(records, RowSchema(row_schema))
    lines = io.StringIO()
    writer = csv.writer(lines, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([text(record.get(name, "")) for name in names] for record in records)
    return lines.getvalue()


def column_names(records: Iterable[Mapping[str, Any]], schema: RowSchema) -> list[str]:
    """Return the columns of the schema in its order, then those that only records have."""
    further = (name for record in records for name in record)
    return list(dict.fromkeys([*schema.properties, *further]))
