"""Draws a mapping whose keys its user chooses, such as contrasts or genomes: entries with names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from services.errors import Message, Problem
from ui.formatting import plain
from ui.forms import widgets
from ui.forms.form_state import TYPING_PAUSE, keep, restore
from ui.forms.form_values import Form
from ui.forms.headings import title
from ui.forms.widgets import Schema, kind_of

PREFIX = "field-"  # of the keys of all fields
VALUE = "value"  # the part of a path that stands for the value of an entry
MAX_ENTRIES = 100

NAME_MISSING = Message("missing", "Give each entry a name.")
NAME_TAKEN = Message("not_unique", "Two entries are named {name}.")

Draw = Callable[[str, Schema, Any, Form], Form]  # draws the fields of an object


def draw(
    path: str, name: str, schema: Schema, entry: Schema, initial: Any, form: Form, inner: Draw
) -> None:
    """Draw the entries, each in a frame with its name, with buttons to add and to remove one.

    `entry` is the schema of the value of an entry, and `inner` draws the fields of an object.
    What is drawn takes the place of the whole mapping: an entry that is removed is gone.
    """
    given = list(initial.items()) if isinstance(initial, dict) else []
    key, entries = PREFIX + path, dict[str, Any]()
    rows: list[int] = restore(key, list(range(len(given))))
    form.keys[key] = path
    with st.container(border=True, key=f"named-{path}"):
        title(name, schema)
        for number in rows:
            known, before = given[number] if number < len(given) else ("", None)
            own = f"{path}.{number}"
            with st.container(border=True, key=f"named-{own}"):
                chosen = _head(key, number, known, rows, entry, form)
                value = _value(own, entry, before, form, f"{path}.{chosen}", inner)
            if not chosen:
                form.problems.append(Problem(f"params.{path}", NAME_MISSING()))
            elif chosen in entries:
                form.problems.append(Problem(f"params.{path}", NAME_TAKEN(name=chosen)))
            entries[chosen] = value
        st.button(
            f"Add {plain(str(entry.get('title', 'entry')))}",
            key=f"{key}-add",
            icon=":material/add:",
            disabled=len(rows) >= MAX_ENTRIES,
            on_click=_set,
            args=(key, [*rows, max([*rows, len(given) - 1]) + 1]),
        )
    keep(key)
    if entries or given or schema.get("default"):
        form.values[name] = entries
    form.add_slot(path, str(schema.get("title", name)))


def _head(key: str, number: int, known: str, rows: Sequence[int], entry: Schema, form: Form) -> str:
    """Draw the name of an entry and the button that removes it; return the name."""
    own = f"{key}-name-{number}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text: str = st.text_input(
            f"Name of {plain(str(entry.get('title', 'entry')))}",
            value=restore(own, known),
            key=own,
            live=TYPING_PAUSE,
            width=320,
        )
        st.space("stretch")
        st.button(
            "Remove",
            key=f"{key}-remove-{number}",
            icon=":material/close:",
            type="tertiary",
            on_click=_set,
            args=(key, [other for other in rows if other != number]),
        )
    keep(own)
    form.keys[own], form.shown[own] = key.removeprefix(PREFIX), text
    return text.strip()


def _value(own: str, entry: Schema, before: Any, form: Form, place: str, inner: Draw) -> Any:
    """Draw the value of an entry: the fields of an object, or one field."""
    if kind_of(entry, before) == "object" and entry.get("properties"):
        drawn = inner(own, entry, before, form)
        values, drawn.values = drawn.values, {}
        form.add_nested(place, drawn, f"{own}.", f"{place}.")
        return values
    key = f"{PREFIX}{own}.{VALUE}"
    common = {"label": "Value", "key": key, "help": plain(widgets.help_of(entry)) or None}
    if before is None and kind_of(entry) == "boolean":
        before = False
    drawn_value = widgets.draw(f"{own}.{VALUE}", entry, before, common, form.problems)
    keep(key)
    form.keys[key], form.shown[key] = place, drawn_value.shown
    form.add_slot(place, "Value")
    return drawn_value.value


def _set(key: str, rows: list[int]) -> None:
    st.session_state[key] = rows
