"""What Snakemake prints, while it prints it."""

from __future__ import annotations

import streamlit as st

from services.errors import NotFound
from services.runs import tail
from services.views import RunView
from ui import desk, errors
from ui.look import printable, size

SHOWN = 65536  # bytes


def draw(view: RunView) -> None:
    run = view.run
    try:
        path = errors.latest(
            f"log {run.id}", lambda: desk.services().runs.log(desk.actor(), run.id)
        )
    except NotFound:
        st.caption(
            "This run printed nothing."
            if run.state.final
            else "The log begins as soon as Snakemake starts."
        )
        return
    length = path.stat().st_size
    with st.container(horizontal=True, vertical_alignment="center", key="log-head"):
        part = f"The last {size(SHOWN)} of {size(length)}" if length > SHOWN else size(length)
        st.caption(part if run.state.final else f"{part}, live", width="content")
        st.space("stretch")
        st.link_button(
            "Download",
            desk.link(f"/api/v1/runs/{run.id}/log"),
            icon=":material/download:",
            type="tertiary",
            key="log-download",
        )
    with st.container(height=560, autoscroll=True, border=True, key="log"):
        st.code(printable(tail(path, SHOWN)) or " ", language=None, wrap_lines=True)
