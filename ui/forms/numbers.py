"""Numbers in forms are typed as text: the page shows exactly what the service receives.

A number widget with limits keeps its last valid value while the browser shows an invalid one.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

INTEGER = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
PADDED_EXPONENT = re.compile(r"e-0+")  # Python writes 1e-05
MAX_DIGITS = 4000  # Python refuses to read longer integers
#: Values below it are stepped by powers of ten: E-values, rates of errors.
SMALL_VALUE = 0.01


def as_text(value: Any) -> str:
    """Return a number as it is shown in a field: 1e-10, 0.001, 7.5, 100; "" for None."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value if isinstance(value, str) else PADDED_EXPONENT.sub("e-", json.dumps(value))


def parse(text: str, kind: str) -> int | float | str | None:
    """Return typed text as a number of a JSON type, `kind`: "integer" or "number".

    Returns None for empty text, and the text itself if it is not a number: the schema then says so.
    """
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    if not text:
        return None
    if INTEGER.fullmatch(text) and len(text) < MAX_DIGITS:
        return int(text)
    if not NUMBER.fullmatch(text):
        return text
    value = float(text)
    if not math.isfinite(value):
        return text
    return int(value) if kind == "integer" and value.is_integer() else value


def step_kind(schema: dict[str, Any], kind: str) -> str:
    """Return how the arrow keys change a field: "integer", "decimal" or "power" (of ten)."""
    if kind == "integer":
        return "integer"
    values = (schema.get("default"), schema.get("minimum"), schema.get("exclusiveMinimum"))
    known = [value for value in values if isinstance(value, int | float) and value]
    return "power" if known and min(map(abs, known)) < SMALL_VALUE else "decimal"
