"""What Snakemake prints, while it prints it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from services import logs
from services.errors import NotFound
from services.logs import tail
from services.models import Run
from services.runs.views import RunView
from ui import context, errors
from ui.formatting import amount, printable, size

SHOWN = 65536  # bytes


def draw(view: RunView) -> None:
    run = view.run
    try:
        path = errors.latest(
            f"log {run.id}", lambda: context.services().runs.log(context.actor(), run.id)
        )
    except NotFound:
        st.caption(
            "This run printed nothing."
            if run.state.final
            else "The log begins as soon as Snakemake starts."
        )
        return
    words = _head(run, path)
    if words:
        _found(path, words)
    else:
        with st.container(height=560, autoscroll=True, border=True, key="log"):
            st.code(printable(tail(path, SHOWN)) or " ", language=None, wrap_lines=True)


def _head(run: Run, path: Path) -> str:
    """How much there is, a search, a download; what is searched for."""
    length = path.stat().st_size
    with st.container(horizontal=True, vertical_alignment="center", key="log-head"):
        part = f"The last {size(SHOWN)} of {size(length)}" if length > SHOWN else size(length)
        st.caption(part if run.state.final else f"{part}, live", width="content")
        st.space("stretch")
        words = st.text_input(
            "Search the log",
            key="words",
            type="search",
            max_chars=200,
            placeholder="Search the whole log",
            icon=":material/search:",
            label_visibility="collapsed",
            bind="query-params",
            width=300,
        )
        st.link_button(
            "Download",
            context.link(f"/api/v1/runs/{run.id}/log"),
            icon=":material/download:",
            type="tertiary",
            key="log-download",
        )
    return (words or "").strip()


def _found(path: Path, words: str) -> None:
    """The lines that hold the words, with their numbers."""
    found = logs.search(path, words)
    few = f", the last {len(found.lines)} of them here" if found.total > len(found.lines) else ""
    st.caption(f"{amount(found.total, 'line')} with these words{few}.")
    if found.lines:
        width = len(str(found.lines[-1].number))
        text = "\n".join(f"{line.number:>{width}}  {line.text}" for line in found.lines)
        with st.container(height=520, border=True, key="log-found"):
            st.code(printable(text), language=None, wrap_lines=True)
