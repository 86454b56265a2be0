"""The widgets for fields of a JSON Schema, and their values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from services.errors import Message, Problem
from services.params.schema import is_file
from ui.formatting import plain
from ui.forms import file_fields, numbers
from ui.forms.form_state import restore

Schema = dict[str, Any]

NOT_JSON = Message(
    "wrong_format",
    "Invalid JSON in line {line}, column {column}: {reason}.",
    hint="Put text in double quotes.",
)


@dataclass(frozen=True)
class Drawn:
    """The value of a widget, and what the browser shows for it.

    `shown` is the text of a field, the label of a choice, whether a toggle is on, or the labels of
    several choices.
    """

    value: Any
    shown: str | bool | list[str]


def draw(
    path: str, schema: Schema, initial: Any, common: dict[str, Any], problems: list[Problem]
) -> Drawn:
    """Draw the widget of a field; add to `problems` if its value cannot be read.

    `path` is the path of the field in the parameters ("trimming.from"), `common` holds arguments
    that every widget accepts. No widget has limits of its own: only the schema judges values.
    """
    kind, items = kind_of(schema), schema.get("items") or {}
    if is_file(schema):
        return Drawn(*file_fields.draw_single(initial, schema.get("pattern"), common))
    if is_file(items):
        return Drawn(*file_fields.draw_multiple(initial, items.get("pattern"), common))
    if "enum" in schema:
        return _choice(schema, initial, common)
    if kind == "boolean":
        checked = st.toggle(value=restore(common["key"], bool(initial)), **common)
        return Drawn(checked, checked)
    if kind in ("integer", "number"):
        return number(initial, kind, numbers.step_kind(schema, kind), common)
    if kind == "array" and kind_of(items) in ("string", "integer", "number"):
        return _multiple(items, initial, common)
    if kind in ("array", "object"):
        return _json(path, initial, common, problems)
    text = st.text_input(
        value=restore(common["key"], "" if initial is None else str(initial)), **common
    )
    return Drawn(text, text)


def number(initial: Any, kind: str, step: str, common: dict[str, Any]) -> Drawn:
    """Draw a field for a number, which is typed as text; the arrow keys change it by a `step`."""
    with st.container(key=f"number-{step}-{common['key']}"):
        text = st.text_input(value=restore(common["key"], numbers.as_text(initial)), **common)
    return Drawn(numbers.parse(text, kind), text)


def _choice(schema: Schema, initial: Any, common: dict[str, Any]) -> Drawn:
    options = schema["enum"]
    held = restore(common["key"], initial if initial in options else None)
    required = "default" in schema
    index = options.index(held) if required and held in options else None
    chosen = st.selectbox(options=options, index=index, required=required, **common)
    return Drawn(chosen, "" if chosen is None else str(chosen))


def _multiple(items: Schema, initial: Any, common: dict[str, Any]) -> Drawn:
    """Draw the values of an array: selected where the schema lists them, else typed."""
    texts = [str(value) if "enum" not in items else value for value in initial or []]
    held = restore(common["key"], texts)
    if "enum" in items:
        known = [value for value in held if value in items["enum"]]
        chosen = st.multiselect(options=items["enum"], default=known, **common)
        return Drawn(chosen, [str(value) for value in chosen])
    typed = st.multiselect(
        options=held,
        default=held,
        accept_new_options=True,
        placeholder="Type a value, then press Enter",
        **common,
    )
    kind = kind_of(items)
    values = typed if kind == "string" else [numbers.parse(text, kind) for text in typed]
    return Drawn(values, list(typed))


def _json(path: str, initial: Any, common: dict[str, Any], problems: list[Problem]) -> Drawn:
    held = restore(common["key"], "" if initial is None else json.dumps(initial, indent=2))
    text = st.text_area(value=held, placeholder="JSON", height=120, **common)
    try:
        return Drawn(json.loads(text) if text.strip() else None, text)
    except json.JSONDecodeError as error:
        reason = NOT_JSON(line=error.lineno, column=error.colno, reason=error.msg)
        problems.append(Problem(f"params.{path}", reason))
        return Drawn(None, text)


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
