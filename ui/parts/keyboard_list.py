"""The rows of a table for who uses the keyboard or a screen reader.

Streamlit draws tables on a canvas, whose rows only a pointer opens. Beside such a table there is a
list of the same rows, which is seen as soon as it has the focus. The Tab key passes such a table by
(`assets/tables.js`): with the focus it would choose a cell, and open a row that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st


def draw(label: str, names: Mapping[str, str], table: str) -> str | None:
    """Draw the list beside the table of this key; which entry was chosen just now.

    `names` are what each is called.
    """
    widget, reached = f"{table}-list", f"{table}-reached"

    def take() -> None:
        st.session_state[reached] = st.session_state[widget]
        st.session_state[widget] = None

    with st.container(key=f"reach-{table}"):
        st.selectbox(
            label,
            list(names),
            index=None,
            format_func=lambda one: names.get(one, one),
            placeholder=label,
            key=widget,
            on_change=take,
            label_visibility="collapsed",
            width=360,
        )
    found: str | None = st.session_state.pop(reached, None)
    return found
