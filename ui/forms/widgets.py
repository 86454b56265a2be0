"""The widget that suits a field of a JSON Schema, and what it holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from services.errors import Problem
from services.params.schema import is_file
from ui.formatting import plain
from ui.forms import file_fields
from ui.forms.form_state import begin

Schema = dict[str, Any]
SAFE_INTEGER = 2**53 - 1  # larger ones do not survive the way through the browser


def draw(
    path: str, schema: Schema, initial: Any, common: dict[str, Any], problems: list[Problem]
) -> Any:
    """Draw the widget of a field, and read it; what could not be read is added to `problems`.

    `path` is its place in the parameters ("trimming.from"), `common` are arguments of any widget.
    """
    kind, items = kind_of(schema), schema.get("items") or {}
    if is_file(schema):
        return file_fields.one(initial, schema.get("pattern"), common)
    if is_file(items):
        return file_fields.several(initial, items.get("pattern"), common)
    if "enum" in schema:
        return _choice(schema, initial, common)
    if kind == "boolean":
        return st.toggle(value=begin(common["key"], bool(initial)), **common)
    if kind in ("integer", "number"):
        return _number(schema, kind, initial, common)
    if kind == "array" and kind_of(items) in ("string", "integer", "number"):
        return _several(items, initial, common)
    if kind in ("array", "object"):
        return _json(path, initial, common, problems)
    begun = begin(common["key"], "" if initial is None else str(initial))
    return st.text_input(value=begun, max_chars=schema.get("maxLength"), **common)


def _choice(schema: Schema, initial: Any, common: dict[str, Any]) -> Any:
    options = schema["enum"]
    begun = begin(common["key"], initial if initial in options else None)
    needed = "default" in schema
    index = options.index(begun) if needed and begun in options else None
    return st.selectbox(options=options, index=index, required=needed, **common)


def _number(schema: Schema, kind: str, initial: Any, common: dict[str, Any]) -> Any:
    cast = int if kind == "integer" else float
    low, high = (None if (b := schema.get(k)) is None else cast(b) for k in ("minimum", "maximum"))
    if kind == "integer":
        low = -SAFE_INTEGER if low is None else max(int(low), -SAFE_INTEGER)
        high = SAFE_INTEGER if high is None else min(int(high), SAFE_INTEGER)
    fits = isinstance(initial, int | float) and (low is None or low <= initial)
    fits = fits and (high is None or initial <= high)
    begun = begin(common["key"], cast(initial) if fits else None)
    return st.number_input(
        min_value=low,
        max_value=high,
        value=begun if "default" in schema else None,
        step=cast(schema.get("multipleOf") or _step(kind, initial)),
        format=None if kind == "integer" else "%g",
        required="default" in schema,
        **common,
    )


def _step(kind: str, initial: Any) -> float:
    """What + and - add: a tenth of the size of the first value."""
    if kind == "integer" or not initial:
        return 1
    return float(10 ** (math.floor(math.log10(abs(initial))) - 1))


def _several(items: Schema, initial: Any, common: dict[str, Any]) -> list[Any]:
    """Values of an array: chosen where the schema names them, else typed one by one."""
    begun = [str(value) if "enum" not in items else value for value in initial or []]
    held = begin(common["key"], begun)
    if "enum" in items:
        known = [value for value in held if value in items["enum"]]
        return st.multiselect(options=items["enum"], default=known, **common)
    typed = st.multiselect(
        options=held,
        default=held,
        accept_new_options=True,
        placeholder="Type a value, then Enter",
        **common,
    )
    return [_read(value, kind_of(items)) for value in typed]


def _json(path: str, initial: Any, common: dict[str, Any], problems: list[Problem]) -> Any:
    begun = begin(common["key"], "" if initial is None else json.dumps(initial, indent=2))
    text = st.text_area(value=begun, placeholder="JSON", height=120, **common)
    try:
        return json.loads(text) if text.strip() else None
    except ValueError as error:
        problems.append(Problem(f"params.{path}", f"This is not JSON: {error}."))
        return None


def _read(text: str, kind: str) -> Any:
    """A typed value as its type; what does not fit stays text, which the check will name."""
    try:
        return {"integer": int, "number": float}.get(kind, str)(text)
    except ValueError:
        return text


def kind_of(schema: Mapping[str, Any]) -> str:
    """The type of a field's values, null left out."""
    kind = schema.get("type", "string")
    return str(kind if isinstance(kind, str) else next((k for k in kind if k != "null"), "string"))


def unit_of(schema: Mapping[str, Any]) -> str:
    return plain(str(schema.get("unit") or schema.get("units") or ""))


def help_of(schema: Mapping[str, Any]) -> str:
    """Description, help and limits of a field in one text."""
    limits = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "less than {}",
    }
    bounds = [text.format(schema[key]) for key, text in limits.items() if key in schema]
    parts = [schema.get("description", ""), schema.get("help_text", "")]
    return " ".join(filter(None, [*parts, f"Allowed: {', '.join(bounds)}." if bounds else ""]))
