"""Tables of samples: read, checked, written. Needs no database, so that workflows use it as well.

A *row schema* says what one row may hold: JSON Schema (2020-12) of an object, or of an array of
objects as nf-core writes it. Beyond JSON Schema it knows `aliases` (other headers that mean a
property), `unique`, `uniqueEntries`, `errorMessage` and `format: file-path`, the last three as in
nf-core's nf-schema.
"""

from __future__ import annotations

from services.sheets.checking import check
from services.sheets.grid import MOST_BYTES
from services.sheets.model import (
    MOST_COLUMNS,
    MOST_ISSUES,
    MOST_ROWS,
    Column,
    Issue,
    RowSchema,
    Sheet,
)
from services.sheets.pairing import PAIRED, Pairs, pair, takes_fastq
from services.sheets.reading import read
from services.sheets.values import record, text
from services.sheets.writing import DELIMITERS, as_text, column_names, suffix, write

__all__ = [
    "DELIMITERS",
    "MOST_BYTES",
    "MOST_COLUMNS",
    "MOST_ISSUES",
    "MOST_ROWS",
    "PAIRED",
    "Column",
    "Issue",
    "Pairs",
    "RowSchema",
    "Sheet",
    "as_text",
    "check",
    "column_names",
    "pair",
    "read",
    "record",
    "suffix",
    "takes_fastq",
    "text",
    "write",
]
