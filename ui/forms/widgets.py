"""The widgets for fields of a JSON Schema, and their values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from services.errors import Message, Problem
from services.params.schema import is_file
from ui.formatting import plain
from ui.forms import file_fields, numbers, scalars
from ui.forms.form_state import TYPING_PAUSE, restore

Schema = dict[str, Any]
SCALAR = "scalar"  # the kind of a field that takes text, numbers or true and false

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
    A value that is not changed stays what it is, with its type.
    """
    kind, items = kind_of(schema, initial), schema.get("items") or {}
    if is_file(schema):
        return Drawn(*file_fields.draw_single(initial, schema.get("pattern"), common))
    if is_file(items):
        return Drawn(*file_fields.draw_multiple(initial, items.get("pattern"), common))
    if "enum" in schema:
        return _choice(schema["enum"], schema, initial, common)
    if kind == "boolean" and not isinstance(initial, bool | None):
        return _choice([True, False], schema, initial, common)
    unset = "default" not in schema or "null" in types_of(schema)
    if kind == "boolean" and initial is None and unset:  # which a toggle could not show
        return _choice([True, False], {}, initial, common)
    if kind == "boolean":
        checked = st.toggle(value=restore(common["key"], bool(initial)), **common)
        return Drawn(checked, checked)
    if kind in ("integer", "number"):
        return number(initial, kind, numbers.step_kind(schema, kind), common)
    simple = kind_of(items) in ("string", "integer", "number", SCALAR)
    if kind == "array" and simple and not _has_parts(initial):
        return _multiple(items, initial, common)
    if kind in ("array", "object"):
        return _json(path, initial, common, problems)
    before = scalars.as_text(initial)
    text = st.text_input(value=restore(common["key"], before), live=TYPING_PAUSE, **common)
    if text == before:
        return Drawn("" if initial is None else initial, text)
    return Drawn(scalars.parse(text, types_of(schema)) if kind == SCALAR else text, text)


def number(initial: Any, kind: str, step: str, common: dict[str, Any]) -> Drawn:
    """Draw a field for a number, which is typed as text; the arrow keys change it by a `step`."""
    before = numbers.as_text(initial)
    with st.container(key=f"number-{step}-{common['key']}"):
        text = st.text_input(value=restore(common["key"], before), live=TYPING_PAUSE, **common)
    if text == before and initial != "":
        return Drawn(initial, text)
    return Drawn(numbers.parse(text, kind), text)


def _choice(allowed: Sequence[Any], schema: Schema, initial: Any, common: dict[str, Any]) -> Drawn:
    """Draw a choice of values; a default that is none of them is offered, too."""
    own = schema.get("default")
    options = [*allowed] if own is None or own in allowed else [*allowed, own]
    held = restore(common["key"], initial if initial in options else None)
    required = schema.get("default") is not None
    index = options.index(held) if required and held in options else None
    chosen = st.selectbox(options=options, index=index, required=required, **common)
    return Drawn(chosen, "" if chosen is None else str(chosen))


def _multiple(items: Schema, initial: Any, common: dict[str, Any]) -> Drawn:
    """Draw the values of an array: selected where the schema lists them, else typed."""
    given = initial if isinstance(initial, list) else [] if initial in (None, "") else [initial]
    texts = [scalars.as_text(value) if "enum" not in items else value for value in given]
    held = restore(common["key"], texts)
    if "enum" in items:
        more = [value for value in given if value not in items["enum"]]
        options = [*items["enum"], *dict.fromkeys(more)]
        known = [value for value in held if value in options]
        chosen = st.multiselect(options=options, default=known, **common)
        return Drawn(chosen, [str(value) for value in chosen])
    typed = st.multiselect(
        options=held,
        default=held,
        accept_new_options=True,
        placeholder="Type a value, then press Enter",
        **common,
    )
    return Drawn(initial if typed == texts else _items(typed, items), list(typed))


def _items(texts: Sequence[str], items: Schema) -> list[Any]:
    """Return typed texts as the items of an array."""
    kind = kind_of(items)
    if kind == "string":
        return list(texts)
    if kind == SCALAR:
        return [scalars.parse(text, types_of(items)) for text in texts]
    return [numbers.parse(text, kind) for text in texts]


def _json(path: str, initial: Any, common: dict[str, Any], problems: list[Problem]) -> Drawn:
    held = restore(common["key"], "" if initial is None else json.dumps(initial, indent=2))
    text = st.text_area(value=held, placeholder="JSON", height=120, **common)
    try:
        return Drawn(json.loads(text) if text.strip() else None, text)
    except json.JSONDecodeError as error:
        reason = NOT_JSON(line=error.lineno, column=error.colno, reason=error.msg)
        problems.append(Problem(f"params.{path}", reason))
        return Drawn(None, text)


def _has_parts(value: Any) -> bool:
    """Whether a value is a list of lists or objects."""
    return isinstance(value, list) and any(isinstance(item, list | dict) for item in value)


def kind_of(schema: Mapping[str, Any], value: Any = None) -> str:
    """Return the type of a field's values other than null; SCALAR for text, numbers and switches.

    Of several types, or without one, that of the present `value` counts.
    """
    kinds = types_of(schema) - {"null"}
    if len(kinds) == 1:
        return next(iter(kinds))
    if isinstance(value, dict | list):
        return "object" if isinstance(value, dict) else "array"
    simple = kinds - {"array", "object"}
    if simple <= {"integer", "number"}:
        return "number" if simple else "string" if not kinds else min(kinds)
    return SCALAR


def types_of(schema: Mapping[str, Any]) -> set[str]:
    """Return the types that a field's values may have, also by its alternatives."""
    stated = schema.get("type")
    if stated is None and "enum" not in schema:
        branches = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
        known = [types_of(branch) for branch in branches if isinstance(branch, dict)]
        return set().union(*known)
    if stated is None:
        return {"string"}
    return {stated} if isinstance(stated, str) else set(stated)


def unit_of(schema: Mapping[str, Any]) -> str:
    """Return the unit of a field as Markdown; empty if it has none."""
    return plain(str(schema.get("unit") or schema.get("units") or ""))


#: By the rule that recognized a table, a file or a folder (services/catalogue/recognition.py).
RECOGNISED = {
    "name": "Recognized as a file by its name or value.",
    "cells": "Recognized as a table by its cells.",
    "read": "The workflow reads this file.",
    "planned": "The workflow read this in a dry run.",
    "overlay": "Described by the operators of this server.",
}


def help_of(schema: Mapping[str, Any]) -> str:
    """Return the description, the help and the limits of a field as one text."""
    limits = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "less than {}",
    }
    bounds = [text.format(schema[key]) for key, text in limits.items() if key in schema]
    parts = [
        schema.get("description", ""),
        schema.get("help_text", ""),
        f"Allowed: {', '.join(bounds)}." if bounds else "",
        RECOGNISED.get(str(schema.get("recognised")), ""),
    ]
    return " ".join(filter(None, parts))
