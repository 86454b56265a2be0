"""The log of Snakemake, updated while the run is live."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from services import logs
from services.errors import NotFound
from services.logs import tail
from services.models import Run
from services.runs.views import RunView
from ui import context, errors
from ui.formatting import plural, printable, size

MAX_SHOWN_BYTES = 65536


def draw(view: RunView) -> None:
    """Draw the end of the log, or the lines that match a search."""
    run = view.run
    try:
        path = errors.latest(
            f"log {run.id}", lambda: context.services().runs.log(context.actor(), run.id)
        )
    except NotFound:
        st.caption(
            "This run has no log." if run.state.final else "The log appears when Snakemake starts."
        )
        return
    words = _head(run, path)
    if words:
        _matches(path, words)
    else:
        with st.container(height=560, autoscroll=True, border=True, key="log"):
            st.code(printable(tail(path, MAX_SHOWN_BYTES)) or " ", language=None, wrap_lines=True)


def _head(run: Run, path: Path) -> str:
    """Draw the size of the log, a search and a download; return the text of the search."""
    length = path.stat().st_size
    with st.container(horizontal=True, vertical_alignment="center", key="log-head"):
        part = size(length)
        if length > MAX_SHOWN_BYTES:
            part = f"The last {size(MAX_SHOWN_BYTES)} of {size(length)}"
        st.caption(part if run.state.final else f"{part}  ·  live", width="content")
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


def _matches(path: Path, words: str) -> None:
    """Draw the lines that contain the words, with their numbers."""
    matches = logs.search(path, words)
    lines = matches.lines
    if matches.total > len(lines):
        st.caption(f"{matches.total:,} matching lines. The last {len(lines):,} are shown.")
    else:
        st.caption(plural(matches.total, "1 matching line.", "{count} matching lines."))
    if lines:
        width = len(str(lines[-1].number))
        text = "\n".join(f"{line.number:>{width}}  {line.text}" for line in lines)
        with st.container(height=520, border=True, key="log-found"):
            st.code(printable(text), language=None, wrap_lines=True)
