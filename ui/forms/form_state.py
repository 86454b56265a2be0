"""The values typed into a form, kept while the form is not drawn.

Streamlit forgets a field that is not drawn: while another page is open, or while the database is
unavailable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from services.errors import Problem


@dataclass(frozen=True)
class FieldProblem:
    """A problem of a field; it is shown until the value of the field changes."""

    problem: Problem
    value: Any  # of the field when the problem was found


def restore(key: str, value: Any) -> Any:
    """Set a field that is about to be drawn to what was typed into it, else to `value`; return it.

    Draw the field with the returned value as its default, too. Without a default, the browser shows
    the field empty for a moment, and a button clicked at that moment submits it empty. Only choices
    and numbers that can be cleared have no default: Streamlit would replace a cleared value by it.
    """
    typed = st.session_state.setdefault("typed", {})
    return st.session_state.setdefault(key, typed.get(key, value))


def keep(key: str) -> None:
    """Keep the value of a field that was drawn."""
    st.session_state["typed"][key] = st.session_state[key]


def forget() -> None:
    """Discard what was typed, so the next form starts from its defaults."""
    for key in st.session_state.pop("typed", {}):
        st.session_state.pop(key, None)
        st.session_state.pop(f"{key}:table", None)  # the state of a table; see sheet_editor
