"""The heading of an object, or of a list of objects, in a form."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.formatting import plain


def title(name: str, schema: dict[str, Any]) -> None:
    """Draw the title and the description of a field that has fields of its own."""
    st.markdown(f"**{plain(schema.get('title', name))}**")
    if schema.get("description"):
        st.caption(plain(schema["description"]))
