"""Draws the form of a workflow from its JSON Schema and reads the parameters from it.

`services.params` defines the groups and fields, and checks the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from services.errors import Message, Problem
from services.params import conditions
from services.params.schema import (
    Group,
    flatten,
    groups,
    is_file,
    is_folder,
    is_sheet,
    named_entries,
)
from services.sheets import RowSchema
from ui.formatting import plain
from ui.forms import named_fields, numbers, sheet_editor, widgets
from ui.forms.form_state import FieldProblem, keep, restore
from ui.forms.form_values import Form
from ui.forms.headings import title
from ui.forms.widgets import Schema, kind_of

PREFIX = "field-"  # of the keys of all fields
EMPTY: tuple[Any, ...] = (None, "", [])
MAX_ENTRIES = 100  # of an array of objects

EMPTY_FIELD = Message("missing", "Required.", hint="The default value is {default}.")


def draw(
    schema: Schema,
    initial: Mapping[str, Any],
    *,
    unfold: bool = False,
    reported: Sequence[FieldProblem] = (),
) -> Form:
    """Draw every group, then the hidden fields under Advanced, which `unfold` opens.

    Fields that depend on the values of others are drawn as soon as they apply. `initial` holds
    values that take precedence over the defaults of the schema. Tables show the problems of their
    cells that were `reported`.
    """
    form = Form(reported=reported)
    parts, flat = groups(schema), flatten(schema)
    required = conditions.required(flat, _current_values(flat, initial))
    for number, group in enumerate(parts):
        if shown := {n: f for n, f in group.fields.items() if not f.get("hidden")}:
            with st.container(border=True, key=f"group-{number}"):
                _heading(group)
                _grid(shown, required, initial, form)
    dependent = st.container(key="dependent")
    if any(f.get("hidden") for group in parts for f in group.fields.values()):
        with st.expander("Advanced", expanded=unfold, icon=":material/tune:", key="advanced"):
            for group in parts:
                if folded := {n: f for n, f in group.fields.items() if f.get("hidden")}:
                    st.markdown(f"**{plain(group.title)}**")
                    _grid(folded, required, initial, form)
    with dependent:
        _draw_dependent(flat, initial, form)
    return form


def _current_values(flat: Schema, initial: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values before the form is drawn; they decide which fields are required."""
    typed = st.session_state.get("typed", {})
    values = {}
    for name, schema in flat["properties"].items():
        key = PREFIX + name
        before = typed.get(key, initial.get(name, schema.get("default")))
        value = st.session_state.get(key, before)
        is_number = kind_of(schema) in ("integer", "number") and "enum" not in schema
        values[name] = (
            numbers.parse(numbers.as_text(value), kind_of(schema)) if is_number else value
        )
    return {name: value for name, value in values.items() if value not in EMPTY}


def _draw_dependent(flat: Schema, initial: Mapping[str, Any], form: Form) -> None:
    """Draw the fields that apply because of other values; they may make further ones apply."""
    drawn: set[str] = set()
    while True:
        fields = conditions.fields(flat, form.values)
        if not (fresh := {name: one for name, one in fields.items() if name not in drawn}):
            return
        with st.container(border=True, key=f"dependent-{len(drawn)}"):
            if not drawn:
                st.subheader("Options for your choices", anchor=False)
            _grid(fresh, conditions.required(flat, form.values), initial, form)
        drawn |= fresh.keys()


def hidden(schema: Schema, name: str) -> bool:
    """Whether a field is drawn under Advanced."""
    return any(group.fields.get(name, {}).get("hidden") for group in groups(schema))


def _heading(group: Group) -> None:
    if group.title:
        st.subheader(plain(group.title), anchor=False)
    if group.description:
        st.caption(plain(group.description))


def _grid(
    fields: Mapping[str, Schema],
    required: frozenset[str],
    initial: Mapping[str, Any],
    form: Form,
    prefix: str = "",
) -> None:
    """Draw fields in rows of two, each with a container for its problems below.

    `prefix` is the path of the object that they belong to: "trimming." or empty.
    """
    for line in _lines(fields):
        wide = _is_wide(fields[line[0]])
        for column, name in zip(st.columns(1 if wide else 2, gap="medium"), line, strict=False):
            with column:
                schema, path = fields[name], prefix + name
                value = initial.get(name, schema.get("default"))
                if _nests(schema):
                    _object(path, name, schema, value, form)
                elif entry := named_entries(schema):
                    named_fields.draw(path, name, schema, entry, value, form, _draw_inner)
                elif _repeats(schema):
                    _entries(path, name, schema, value, form)
                else:
                    _field(path, name, schema, name in required, value, form)
                    if name in initial and value in EMPTY and name not in form.values:
                        form.values[name] = value  # empty before, and not filled in since


def _lines(fields: Mapping[str, Schema]) -> list[list[str]]:
    """Return the names of the fields of each row; a wide field has a row of its own."""
    lines: list[list[str]] = []
    for name, one in fields.items():
        alone = _is_wide(one) or (bool(lines) and _is_wide(fields[lines[-1][0]]))
        if alone or not lines or len(lines[-1]) == 2:
            lines.append([])
        lines[-1].append(name)
    return lines


def _is_wide(schema: Schema) -> bool:
    return _rows(schema) is not None or _repeats(schema) or named_entries(schema) is not None


def _nests(schema: Schema) -> bool:
    """Whether a field is an object whose own fields are known."""
    return kind_of(schema) == "object" and bool(schema.get("properties"))


def _repeats(schema: Schema) -> bool:
    """Whether a field is an array of such objects whose values do not fit into table cells."""
    items = schema.get("items") or {}
    return kind_of(schema) == "array" and _nests(items) and _rows(schema) is None


def _rows(schema: Schema) -> RowSchema | None:
    """Return the row schema of a field drawn as a table: a sheet, or an array of flat objects."""
    if is_sheet(schema):
        return RowSchema(schema["rows"])
    items = schema.get("items") or {}
    if kind_of(schema) != "array" or not _nests(items):
        return None
    single = (kind_of(one) not in ("array", "object") for one in items["properties"].values())
    return RowSchema({"items": items}) if all(single) else None


def _object(path: str, name: str, schema: Schema, initial: Any, form: Form) -> None:
    """Draw the fields of a nested object in a frame."""
    with st.container(border=True, key=f"object-{path}"):
        title(name, schema)
        inner = _draw_inner(path, schema, initial, form)
    form.add_nested(name, inner)
    form.add_slot(path, str(schema.get("title", name)))


def _draw_inner(path: str, schema: Schema, initial: Any, outer: Form) -> Form:
    """Draw the fields of an object."""
    inner, values = Form(reported=outer.reported), initial if isinstance(initial, dict) else {}
    _grid(schema["properties"], frozenset(schema.get("required", [])), values, inner, f"{path}.")
    return inner


def _entries(path: str, name: str, schema: Schema, initial: Any, form: Form) -> None:
    """Draw the objects of an array, each in a frame, with buttons to add and to remove one.

    The keys of an entry's fields have its number, which it keeps when other entries are removed.
    """
    given = initial if isinstance(initial, list) else []
    least, most = schema.get("minItems", 0), min(schema.get("maxItems", MAX_ENTRIES), MAX_ENTRIES)
    key, values = PREFIX + path, []
    numbers = restore(key, list(range(max(len(given), min(least, most)))))
    with st.container(border=True, key=f"entries-{path}"):
        title(name, schema)
        for index, number in enumerate(numbers):
            before, own = given[number] if number < len(given) else {}, f"{path}.{number}"
            with st.container(border=True, key=f"entry-{own}"):
                _entry_head(index, schema["items"], key, number)
                inner = _draw_inner(own, schema["items"], before, form)
            values.append(inner.values)
            inner.values = {}
            form.add_nested(name, inner, f"{own}.", f"{path}.{index}.")
        st.button(
            f"Add {plain(str(schema['items'].get('title', 'entry')))}",
            key=f"{key}-add",
            icon=":material/add:",
            disabled=len(numbers) >= most,
            on_click=_set_entries,
            args=(key, [*numbers, max(numbers, default=len(given) - 1) + 1]),
        )
    keep(key)
    if values or schema.get("default"):
        form.values[name] = values
    form.add_slot(path, str(schema.get("title", name)))


def _entry_head(index: int, schema: Schema, key: str, number: int) -> None:
    numbers = st.session_state[key]
    with st.container(horizontal=True, vertical_alignment="center"):
        title = plain(str(schema.get("title", "Entry")))
        st.markdown(f"**{title} {index + 1}**", width="content")
        st.space("stretch")
        st.button(
            "Remove",
            key=f"{key}-remove-{number}",
            icon=":material/close:",
            type="tertiary",
            on_click=_set_entries,
            args=(key, [other for other in numbers if other != number]),
        )


def _set_entries(key: str, numbers: list[int]) -> None:
    st.session_state[key] = numbers


def _field(path: str, name: str, schema: Schema, required: bool, initial: Any, form: Form) -> None:
    """Draw a field; an empty field never becomes the default that it does not show."""
    title, unit = str(schema.get("title", name)), widgets.unit_of(schema)
    key = PREFIX + path
    common = {
        "label": plain(title) + (f" ({unit})" if unit else "") + (" *" if required else ""),
        "key": key,
        "help": plain(widgets.help_of(schema)) or None,
    }
    rows = _rows(schema)
    form.keys[key] = path
    if rows is None:
        drawn = widgets.draw(path, schema, initial, common, form.problems)
        value, form.shown[key] = drawn.value, drawn.shown
        form.add_slot(path, title)
        if is_folder(schema) and isinstance(own := schema.get("default"), str) and not value:
            st.caption(plain(f"If you choose no files, the workflow uses its own folder: {own}"))
    else:
        form.tables.add(path)
        reported = [known for known in form.reported if _is_below(known, path)]
        value = sheet_editor.draw(
            path, schema, rows, initial, common, reported, lambda: form.add_slot(path, title)
        )
        if isinstance(initial, list) and _same_rows(value, initial):
            value = initial
    keep(key)
    if value not in EMPTY:
        form.values[name] = value
    elif schema.get("default") not in EMPTY and not is_sheet(schema) and not is_folder(schema):
        _set_empty(path, name, schema, value, form)


def _same_rows(rows: list[dict[str, Any]], before: list[Any]) -> bool:
    """Whether the rows of a table have the same cells as before, apart from empty ones."""
    filled = [
        {name: cell for name, cell in row.items() if cell not in EMPTY}
        for row in before
        if isinstance(row, dict)
    ]
    return len(filled) == len(before) and rows == [row for row in filled if row]


def _is_below(known: FieldProblem, path: str) -> bool:
    """Whether a problem belongs to a row or cell of the table at this path."""
    return known.problem.field.startswith(f"params.{path}.")


def _set_empty(path: str, name: str, schema: Schema, value: Any, form: Form) -> None:
    """Set the value of a field that was cleared although it has a default.

    Empty text and lists are values, and so is null where the schema allows it.
    """
    kinds = schema.get("type", "string")
    if value is not None and kind_of(schema) in ("string", "array") and not is_file(schema):
        form.values[name] = value
    elif "null" in kinds:
        form.values[name] = None
    elif not any(problem.field == f"params.{path}" for problem in form.problems):
        default = numbers.as_text(schema["default"])
        form.problems.append(Problem(f"params.{path}", EMPTY_FIELD(default=default)))
