"""A table into a file, as the workflows read it."""

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
    """The suffix of the table that a sample sheet parameter asks for: ".csv" or ".tsv"."""
    told = (str(field.get(key, "")) for key in ("mimetype", "default", "pattern"))
    return ".csv" if "csv" in " ".join(told) else ".tsv"


def write(
    records: Sequence[Mapping[str, Any]],
    path: Path,
    row_schema: Mapping[str, Any],
    *,
    delimiter: str = "\t",
) -> None:
    """Every column of the schema, also an empty one, then further ones of the records.

    UTF-8, a header, one line for each row. Nothing is at `path` before all of it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as file:
        file.write(as_text(records, row_schema, delimiter=delimiter))


def as_text(
    records: Sequence[Mapping[str, Any]], row_schema: Mapping[str, Any], *, delimiter: str = "\t"
) -> str:
    """What `write` writes."""
    names = column_names(records, RowSchema(row_schema))
    lines = io.StringIO()
    writer = csv.writer(lines, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([text(record.get(name, "")) for name in names] for record in records)
    return lines.getvalue()


def column_names(records: Iterable[Mapping[str, Any]], schema: RowSchema) -> list[str]:
    """The columns of the schema in its order, then those that only records have."""
    return list(dict.fromkeys([*schema.properties, *(name for one in records for name in one)]))
