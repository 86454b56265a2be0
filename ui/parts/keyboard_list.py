"""The rows of a table as a list for the keyboard and for screen readers.

Streamlit draws tables on a canvas, whose rows open only with a pointer. Next to such a table is a
list of the same rows, visible while it has the focus. The Tab key skips the table
(`assets/tables.js`): with the focus, the table would select a cell and thereby open a row.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st


def draw(label: str, names: Mapping[str, str], table: str) -> str | None:
    """Draw the list for the table with this key; return the entry that was just chosen, or None.

    `names` maps each entry to the text shown for it.
    """
    widget, chosen = f"{table}-list", f"{table}-chosen"

    def take() -> None:
        st.session_state[chosen] = st.session_state[widget]
        st.session_state[widget] = None

    with st.container(key=f"reach-{table}"):
        st.selectbox(
            label,
            list(names),
            index=None,
            format_func=lambda entry: str(names.get(entry, entry)),
            placeholder=label,
            key=widget,
            on_change=take,
            label_visibility="collapsed",
            width=360,
        )
    entry: str | None = st.session_state.pop(chosen, None)
    return entry
