"""Draws a form for a workflow's JSON Schema and reads the parameters it holds.

Which groups and fields there are, and whether values fit, is the business of `services.params`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from services.errors import Problem
from services.params import conditions
from services.params.schema import Group, flatten, groups, is_sheet
from services.sheets import RowSchema
from ui.formatting import plain
from ui.forms import sheet_editor, widgets
from ui.forms.form_state import begin, keep
from ui.forms.widgets import Schema, kind_of

PREFIX = "field-"  # of the keys of all fields
EMPTY: tuple[Any, ...] = (None, "", [])
MOST_ENTRIES = 100  # of an array that are drawn


@dataclass
class Form:
    """What a drawn form holds."""

    values: dict[str, Any] = field(default_factory=dict)  # empty ones left out
    problems: list[Problem] = field(default_factory=list)  # what could not be read at all
    slots: dict[str, DeltaGenerator] = field(default_factory=dict)  # place for the errors of each
    labels: dict[str, str] = field(default_factory=dict)  # what each field is called
    tables: set[str] = field(default_factory=set)  # fields that are drawn as tables

    def take(self, name: str, inner: Form, was: str = "", now: str = "") -> None:
        """Add a form inside this one as the value `name`; its paths begin with `now`, not `was`."""

        def path(old: str) -> str:
            return now + old.removeprefix(was)

        if inner.values:
            self.values[name] = inner.values
        for one in inner.problems:
            at = f"params.{path(one.field.removeprefix('params.'))}"
            self.problems.append(Problem(at, one.message, one.hint))
        self.slots |= {path(old): slot for old, slot in inner.slots.items()}
        self.labels |= {path(old): label for old, label in inner.labels.items()}
        self.tables |= {path(old) for old in inner.tables}

    def end(self, path: str, label: str) -> None:
        """Leave a place for the errors of a field that was drawn."""
        self.slots[path] = st.container(gap="xxsmall", key=f"problems-{path}")
        self.labels[path] = label


def draw(schema: Schema, given: Mapping[str, Any], *, unfold: bool = False) -> Form:
    """Draw every group, then the hidden fields folded under Advanced (`unfold`: open).

    Fields that depend on the values of others are drawn as soon as they apply. `given` are the
    values to begin with, before the schema's defaults.
    """
    form = Form()
    parts, flat = groups(schema), flatten(schema)
    needed = conditions.required(flat, _held(flat, given))
    for number, group in enumerate(parts):
        if shown := {n: f for n, f in group.fields.items() if not f.get("hidden")}:
            with st.container(border=True, key=f"group-{number}"):
                _heading(group)
                _grid(shown, needed, given, form)
    dependent = st.container(key="dependent")
    if any(f.get("hidden") for group in parts for f in group.fields.values()):
        with st.expander("Advanced", expanded=unfold, icon=":material/tune:", key="advanced"):
            for group in parts:
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
    return any(group.fields.get(name, {}).get("hidden") for group in groups(schema))


def _heading(group: Group) -> None:
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
        wide = _is_wide(fields[line[0]])
        for column, name in zip(st.columns(1 if wide else 2, gap="medium"), line, strict=False):
            with column:
                schema, path = fields[name], under + name
                value = given.get(name, schema.get("default"))
                if _nests(schema):
                    _object(path, name, schema, value, form)
                elif _repeats(schema):
                    _entries(path, name, schema, value, form)
                else:
                    _field(path, name, schema, name in required, value, form)


def _lines(fields: Mapping[str, Schema]) -> list[list[str]]:
    """The names of fields as they stand side by side; a wide one has a line of its own."""
    lines: list[list[str]] = []
    for name, one in fields.items():
        alone = _is_wide(one) or (bool(lines) and _is_wide(fields[lines[-1][0]]))
        if alone or not lines or len(lines[-1]) == 2:
            lines.append([])
        lines[-1].append(name)
    return lines


def _is_wide(schema: Schema) -> bool:
    return _rows(schema) is not None or _repeats(schema)


def _nests(schema: Schema) -> bool:
    """Whether a field is an object whose own fields are known."""
    return kind_of(schema) == "object" and bool(schema.get("properties"))


def _repeats(schema: Schema) -> bool:
    """Whether a field is an array of such objects that do not fit into the rows of a table."""
    items = schema.get("items") or {}
    return kind_of(schema) == "array" and _nests(items) and _rows(schema) is None


def _rows(schema: Schema) -> RowSchema | None:
    """The rows of a field that is a table: a sample sheet, or objects of single values."""
    if is_sheet(schema):
        return RowSchema(schema["rows"])
    items = schema.get("items") or {}
    if kind_of(schema) != "array" or not _nests(items):
        return None
    single = (kind_of(one) not in ("array", "object") for one in items["properties"].values())
    return RowSchema({"items": items}) if all(single) else None


def _object(path: str, name: str, schema: Schema, initial: Any, form: Form) -> None:
    """The fields of a nested object, in a frame of their own."""
    with st.container(border=True, key=f"object-{path}"):
        _title(name, schema)
        inner = _inside(path, schema, initial)
    form.take(name, inner)
    form.end(path, str(schema.get("title", name)))


def _title(name: str, schema: Schema) -> None:
    st.markdown(f"**{plain(schema.get('title', name))}**")
    if schema.get("description"):
        st.caption(plain(schema["description"]))


def _inside(path: str, schema: Schema, initial: Any) -> Form:
    """The fields of an object."""
    inner = Form()
    begun = initial if isinstance(initial, dict) else {}
    _grid(schema["properties"], frozenset(schema.get("required", [])), begun, inner, f"{path}.")
    return inner


def _entries(path: str, name: str, schema: Schema, initial: Any, form: Form) -> None:
    """The objects of an array, each in a frame, with ways to add one and to remove it.

    The fields of an entry are known by a number of its own, which it keeps when others go.
    """
    given = initial if isinstance(initial, list) else []
    least, most = schema.get("minItems", 0), min(schema.get("maxItems", MOST_ENTRIES), MOST_ENTRIES)
    key, values = PREFIX + path, []
    numbers = begin(key, list(range(max(len(given), min(least, most)))))
    with st.container(border=True, key=f"entries-{path}"):
        _title(name, schema)
        for place, number in enumerate(numbers):
            begun, own = given[number] if number < len(given) else {}, f"{path}.{number}"
            with st.container(border=True, key=f"entry-{own}"):
                _entry_head(place, schema["items"], key, number)
                inner = _inside(own, schema["items"], begun)
            values.append(inner.values)
            inner.values = {}
            form.take(name, inner, f"{own}.", f"{path}.{place}.")
        st.button(
            f"Add {plain(str(schema['items'].get('title', 'an entry')))}",
            key=f"{key}-add",
            icon=":material/add:",
            disabled=len(numbers) >= most,
            on_click=_put_entries,
            args=(key, [*numbers, max(numbers, default=len(given) - 1) + 1]),
        )
    keep(key)
    if values or schema.get("default"):
        form.values[name] = values
    form.end(path, str(schema.get("title", name)))


def _entry_head(place: int, schema: Schema, key: str, number: int) -> None:
    numbers = st.session_state[key]
    with st.container(horizontal=True, vertical_alignment="center"):
        title = plain(str(schema.get("title", "Entry")))
        st.markdown(f"**{title} {place + 1}**", width="content")
        st.space("stretch")
        st.button(
            "Remove",
            key=f"{key}-remove-{number}",
            icon=":material/close:",
            type="tertiary",
            on_click=_put_entries,
            args=(key, [one for one in numbers if one != number]),
        )


def _put_entries(key: str, numbers: list[int]) -> None:
    st.session_state[key] = numbers


def _field(path: str, name: str, schema: Schema, required: bool, initial: Any, form: Form) -> None:
    """One field with its value; a cleared one is told apart from one that has a default."""
    title, unit = str(schema.get("title", name)), widgets.unit_of(schema)
    common = {
        "label": plain(title) + (f" ({unit})" if unit else "") + (" *" if required else ""),
        "key": PREFIX + path,
        "help": plain(widgets.help_of(schema)) or None,
    }
    rows = _rows(schema)
    if rows is None:
        value = widgets.draw(path, schema, initial, common, form.problems)
    else:
        form.tables.add(path)
        value = sheet_editor.draw(name, schema, rows, initial, common)
    keep(common["key"])
    cleared = value in ("", []) and schema.get("default") and not is_sheet(schema)
    if value not in EMPTY or cleared:
        form.values[name] = value
    form.end(path, title)
