"""What was typed into a form, kept while the form is not drawn.

Streamlit forgets a field that is not drawn: while another page is open, or the database is away.
"""

from __future__ import annotations

from typing import Any

import streamlit as st


def begin(key: str, value: Any) -> Any:
    """The value of a field before it is drawn: what was typed into it, else `value`.

    Draw the field with it as default too. Without one the browser shows it empty for a moment, and
    a button that is pressed then sends it so. Only choices and numbers that may be cleared go
    without: Streamlit takes one that was cleared for its default.
    """
    typed = st.session_state.setdefault("typed", {})
    return st.session_state.setdefault(key, typed.get(key, value))


def keep(key: str) -> None:
    """Remember what a field that was drawn holds."""
    st.session_state["typed"][key] = st.session_state[key]


def forget() -> None:
    """Drop what was typed, so that the next form starts from its defaults."""
    for key in st.session_state.pop("typed", {}):
        st.session_state.pop(key, None)
