"""Values of fields that take text, numbers, or true and false: typed as in YAML."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from ui.forms import numbers

CONSTANTS = {"true": True, "false": False}


def as_text(value: Any) -> str:
    """Return a value as it is shown in a field; "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return json.dumps(value)
    return value if isinstance(value, str) else numbers.as_text(value)


def parse(text: str, types: Collection[str]) -> Any:
    """Return typed text as a value of one of these types of JSON: a number where it is one."""
    if "boolean" in types and text.strip().lower() in CONSTANTS:
        return CONSTANTS[text.strip().lower()]
    if {"integer", "number"} & set(types):
        value = numbers.parse(text, "number" if "number" in types else "integer")
        if isinstance(value, int | float):
            return value
    return text
