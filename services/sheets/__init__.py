"""Reads, checks and writes tables of samples. Needs no database, so that workflows can use it too.

A *row schema* describes one row: JSON Schema (2020-12) of an object, or of an array of objects as
nf-core writes it. In addition to JSON Schema it supports `aliases` (other headers of a property,
the best one first; an asterisk stands for any text), `unique`, `uniqueEntries`, `errorMessage` and
`format: file-path`, the last three as in nf-core's nf-schema.
"""

from __future__ import annotations

from services.sheets.checking import check
from services.sheets.grid import MAX_SHEET_BYTES
from services.sheets.model import (
    MAX_COLUMNS,
    MAX_ISSUES,
    MAX_ROWS,
    Column,
    Issue,
    RowSchema,
    Sheet,
)
from services.sheets.pairing import Pairs, pair, pair_columns, pair_rows
from services.sheets.reading import read
from services.sheets.values import record, text
from services.sheets.writing import DELIMITERS, as_text, column_names, suffix, write

__all__ = [
    "DELIMITERS",
    "MAX_COLUMNS",
    "MAX_ISSUES",
    "MAX_ROWS",
    "MAX_SHEET_BYTES",
    "Column",
    "Issue",
    "Pairs",
    "RowSchema",
    "Sheet",
    "as_text",
    "check",
    "column_names",
    "pair",
    "pair_columns",
    "pair_rows",
    "read",
    "record",
    "suffix",
    "text",
    "write",
]
