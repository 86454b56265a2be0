"""Draws a form for a workflow's JSON Schema and reads the parameters it holds.

Which groups and fields there are, and whether values fit, is the business of `services.params`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from services import conditions, params
from services.errors import Problem
from ui import sheet_editor, uploads
from ui.look import plain
from ui.typed import begin, keep

Schema = dict[str, Any]
PREFIX = "field-"  # of the keys of all fields
EMPTY: tuple[Any, ...] = (None, "", [])
SAFE_INTEGER = 2**53 - 1  # larger ones do not survive the way through the browser


@dataclass
class Form:
    """What a drawn form holds."""

    values: dict[str, Any] = field(default_factory=dict)  # empty ones left out
    problems: list[Problem] = field(default_factory=list)  # what could not be read at all
    slots: dict[str, DeltaGenerator] = field(default_factory=dict)  # place for the errors of each
    labels: dict[str, str] = field(default_factory=dict)  # what each field is called
    tables: set[str] = field(default_factory=set)  # fields that are sample sheets


def draw(schema: Schema, given: Mapping[str, Any], *, unfold: bool = False) -> Form:
    """Draw every group, then the hidden fields folded under Advanced (`unfold`: open).

    Fields that depend on the values of others are drawn as soon as they apply. `given` are the
    values to begin with, before the schema's defaults.
    """
    form = Form()
    groups, flat = params.groups(schema), params.flatten(schema)
    needed = conditions.required(flat, _held(flat, given))
    for number, group in enumerate(groups):
        if shown := {n: f for n, f in group.fields.items() if not f.get("hidden")}:
            with st.container(border=True, key=f"group-{number}"):
                _heading(group)
                _grid(shown, needed, given, form)
    dependent = st.container(key="dependent")
    if any(f.get("hidden") for group in groups for f in group.fields.values()):
        with st.expander("Advanced", expanded=unfold, icon=":material/tune:", key="advanced"):
            for group in groups:
                if folded := {n: f for n, f in group.fields.items() if f.get("hidden")}:
                    st.markdown(f"**{plain(group.title)}**")
                    _grid(folded, needed, given, form)
    with dependent:
        _dependent(flat, given, form)
    return form


def _held(flat: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields held when they were drawn last: what is needed now depends on it."""
    typed = st.session_state.get("typed", {})
    held = {}
    for name, known in flat["properties"].items():
        key = PREFIX + name
        begun = typed.get(key, given.get(name, known.get("default")))
        held[name] = st.session_state.get(key, begun)
    return {name: value for name, value in held.items() if value not in EMPTY}


def _dependent(flat: Schema, given: Mapping[str, Any], form: Form) -> None:
    """The fields that apply because of what others hold; they may make further ones apply."""
    drawn: set[str] = set()
    while True:
        fields = conditions.fields(flat, form.values)
        if not (fresh := {name: one for name, one in fields.items() if name not in drawn}):
            return
        with st.container(border=True, key=f"dependent-{len(drawn)}"):
            if not drawn:
                st.subheader("For these choices", anchor=False)
            _grid(fresh, conditions.required(flat, form.values), given, form)
        drawn |= fresh.keys()


def hidden(schema: Schema, name: str) -> bool:
    """Whether a field is folded under Advanced."""
    return any(group.fields.get(name, {}).get("hidden") for group in params.groups(schema))


def _heading(group: params.Group) -> None:
    if group.title:
        st.subheader(plain(group.title), anchor=False)
    if group.description:
        st.caption(plain(group.description))


def _grid(
    fields: Mapping[str, Schema],
    required: frozenset[str],
    given: Mapping[str, Any],
    form: Form,
    under: str = "",
) -> None:
    """Fields side by side in rows of two, each with a place for its errors below.

    `under` is the path of the object that they are in: "trimming." or nothing.
    """
    for line in _lines(fields):
        wide = params.is_sheet(fields[line[0]])
        for column, name in zip(st.columns(1 if wide else 2, gap="medium"), line, strict=False):
            with column:
                value = given.get(name, fields[name].get("default"))
                if _nests(fields[name]):
                    _object(under + name, name, fields[name], value, form)
                else:
                    _field(under + name, name, fields[name], name in required, value, form)


def _lines(fields: Mapping[str, Schema]) -> list[list[str]]:
    """The names of fields as they stand side by side; a table has a line of its own."""
    lines: list[list[str]] = []
    for name, one in fields.items():
        alone = params.is_sheet(one) or (bool(lines) and params.is_sheet(fields[lines[-1][0]]))
        if alone or not lines or len(lines[-1]) == 2:
            lines.append([])
        lines[-1].append(name)
    return lines


def _nests(schema: Schema) -> bool:
    """Whether a field is an object whose own fields are known."""
    return kind_of(schema) == "object" and bool(schema.get("properties"))


def _object(path: str, name: str, schema: Schema, initial: Any, form: Form) -> None:
    """The fields of a nested object, in a frame of their own."""
    inner = Form()
    with st.container(border=True, key=f"object-{path}"):
        st.markdown(f"**{plain(schema.get('title', name))}**")
        if schema.get("description"):
            st.caption(plain(schema["description"]))
        begun = initial if isinstance(initial, dict) else {}
        needed = frozenset(schema.get("required", []))
        _grid(schema["properties"], needed, begun, inner, f"{path}.")
    if inner.values:
        form.values[name] = inner.values
    form.problems += inner.problems
    form.slots |= {**inner.slots, path: st.container(gap="xxsmall", key=f"problems-{path}")}
    form.tables |= inner.tables
    form.labels |= {**inner.labels, path: str(schema.get("title", name))}


def _field(path: str, name: str, schema: Schema, required: bool, initial: Any, form: Form) -> None:
    label = plain(schema.get("title", name)) + (f" ({unit})" if (unit := unit_of(schema)) else "")
    common = {
        "label": label + (" *" if required else ""),
        "key": PREFIX + path,
        "help": plain(help_of(schema)) or None,
    }
    value = _value(path, schema, initial, common, form)
    keep(common["key"])
    if value not in EMPTY or (value == "" and schema.get("default")):
        form.values[name] = value
    form.slots[path] = st.container(gap="xxsmall", key=f"problems-{path}")
    form.labels[path] = str(schema.get("title", name))


def _value(name: str, schema: Schema, initial: Any, common: dict[str, Any], form: Form) -> Any:
    """Draw the widget that suits a field, and read it."""
    kind, items = kind_of(schema), schema.get("items") or {}
    if params.is_sheet(schema):
        form.tables.add(name)
        return sheet_editor.draw(name, schema, initial, common)
    if _holds_files(schema) and kind != "array":
        return uploads.one(initial, schema.get("pattern"), common)
    if _holds_files(schema):
        return uploads.several(initial, items.get("pattern"), common)
    if "enum" in schema:
        return _choice(schema, initial, common)
    if kind == "boolean":
        return st.toggle(value=begin(common["key"], bool(initial)), **common)
    if kind in ("integer", "number"):
        return _number(schema, kind, initial, common)
    if kind == "array" and kind_of(items) in ("string", "integer", "number"):
        return _several(items, initial, common)
    if kind in ("array", "object"):
        return _json(name, initial, common, form)
    begun = begin(common["key"], "" if initial is None else str(initial))
    return st.text_input(value=begun, max_chars=schema.get("maxLength"), **common)


def _holds_files(schema: Schema) -> bool:
    """Whether a field is a file, or an array of files."""
    return params.is_file(schema) or params.is_file(schema.get("items") or {})


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


def _json(name: str, initial: Any, common: dict[str, Any], form: Form) -> Any:
    begun = begin(common["key"], "" if initial is None else json.dumps(initial, indent=2))
    text = st.text_area(value=begun, placeholder="JSON", height=120, **common)
    try:
        return json.loads(text) if text.strip() else None
    except ValueError as error:
        form.problems.append(Problem(f"params.{name}", f"This is not JSON: {error}."))
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
