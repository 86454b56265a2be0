"""The widgets for fields of a JSON Schema, and their values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from services.errors import Message, Problem
from services.params.schema import is_file
from ui.formatting import plain
from ui.forms import file_fields
from ui.forms.form_state import restore

Schema = dict[str, Any]
MAX_SAFE_INTEGER = 2**53 - 1  # JavaScript rounds larger ones

NOT_JSON = Message(
    "wrong_format",
    "Invalid JSON in line {line}, column {column}: {reason}.",
    hint="Put text in double quotes.",
)


def draw(
    path: str, schema: Schema, initial: Any, common: dict[str, Any], problems: list[Problem]
) -> Any:
    """Draw the widget of a field and return its value; add to `problems` if it cannot be read.

    `path` is the path of the field in the parameters ("trimming.from"), `common` holds arguments
    that every widget accepts.
    """
    kind, items = kind_of(schema), schema.get("items") or {}
    if is_file(schema):
        return file_fields.draw_single(initial, schema.get("pattern"), common)
    if is_file(items):
        return file_fields.draw_multiple(initial, items.get("pattern"), common)
    if "enum" in schema:
        return _choice(schema, initial, common)
    if kind == "boolean":
        return st.toggle(value=restore(common["key"], bool(initial)), **common)
    if kind in ("integer", "number"):
        return _number(schema, kind, initial, common)
    if kind == "array" and kind_of(items) in ("string", "integer", "number"):
        return _multiple(items, initial, common)
    if kind in ("array", "object"):
        return _json(path, initial, common, problems)
    text = restore(common["key"], "" if initial is None else str(initial))
    return st.text_input(value=text, max_chars=schema.get("maxLength"), **common)


def _choice(schema: Schema, initial: Any, common: dict[str, Any]) -> Any:
    options = schema["enum"]
    held = restore(common["key"], initial if initial in options else None)
    required = "default" in schema
    index = options.index(held) if required and held in options else None
    return st.selectbox(options=options, index=index, required=required, **common)


def _number(schema: Schema, kind: str, initial: Any, common: dict[str, Any]) -> Any:
    cast = int if kind == "integer" else float
    low, high = (None if (b := schema.get(k)) is None else cast(b) for k in ("minimum", "maximum"))
    if kind == "integer":
        low = -MAX_SAFE_INTEGER if low is None else max(int(low), -MAX_SAFE_INTEGER)
        high = MAX_SAFE_INTEGER if high is None else min(int(high), MAX_SAFE_INTEGER)
    fits = isinstance(initial, int | float) and (low is None or low <= initial)
    fits = fits and (high is None or initial <= high)
    held = restore(common["key"], cast(initial) if fits else None)
    return st.number_input(
        min_value=low,
        max_value=high,
        value=held if "default" in schema else None,
        step=cast(schema.get("multipleOf") or _step(kind, initial)),
        format=None if kind == "integer" else "%g",
        required="default" in schema,
        **common,
    )


def _step(kind: str, initial: Any) -> float:
    """Return the step of a number field: a tenth of the order of magnitude of its value."""
    if kind == "integer" or not initial:
        return 1
    return float(10 ** (math.floor(math.log10(abs(initial))) - 1))


def _multiple(items: Schema, initial: Any, common: dict[str, Any]) -> list[Any]:
    """Draw the values of an array: selected where the schema lists them, else typed."""
    texts = [str(value) if "enum" not in items else value for value in initial or []]
    held = restore(common["key"], texts)
    if "enum" in items:
        known = [value for value in held if value in items["enum"]]
        return st.multiselect(options=items["enum"], default=known, **common)
    typed = st.multiselect(
        options=held,
        default=held,
        accept_new_options=True,
        placeholder="Type a value, then press Enter",
        **common,
    )
    return [_parse(value, kind_of(items)) for value in typed]


def _json(path: str, initial: Any, common: dict[str, Any], problems: list[Problem]) -> Any:
    held = restore(common["key"], "" if initial is None else json.dumps(initial, indent=2))
    text = st.text_area(value=held, placeholder="JSON", height=120, **common)
    try:
        return json.loads(text) if text.strip() else None
    except json.JSONDecodeError as error:
        text = NOT_JSON(line=error.lineno, column=error.colno, reason=error.msg)
        problems.append(Problem(f"params.{path}", text))
        return None


def _parse(text: str, kind: str) -> Any:
    """Return a typed value as `kind`; as text if it is not one, which the check then reports."""
    try:
        return {"integer": int, "number": float}.get(kind, str)(text)
    except ValueError:
        return text


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return the type of a field's values other than null."""
    kind = schema.get("type", "string")
    return str(kind if isinstance(kind, str) else next((k for k in kind if k != "null"), "string"))


def unit_of(schema: Mapping[str, Any]) -> str:
    """Return the unit of a field as Markdown; empty if it has none."""
    return plain(str(schema.get("unit") or schema.get("units") or ""))


def help_of(schema: Mapping[str, Any]) -> str:
    """Return the description, the help and the limits of a field as one text."""
    limits = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "less than {}",
    }
    bounds = [text.format(schema[key]) for key, text in limits.items() if key in schema]
    parts = [schema.get("description", ""), schema.get("help_text", "")]
    return " ".join(filter(None, [*parts, f"Allowed: {', '.join(bounds)}." if bounds else ""]))
