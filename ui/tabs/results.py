"""What a run made: its highlights first, then every file."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from services.models import Result, Run, State
from ui import desk, errors, previews
from ui.look import amount, plain, size

PREVIEWED = 12  # highlights shown open; the rest is in the list


def draw(run: Run) -> None:
    if run.state is not State.COMPLETE:
        st.caption(
            "A run that did not complete publishes no results; its log says how far it came."
            if run.state.final
            else "The results appear here when the run is done."
        )
        return
    results = errors.latest(
        f"results {run.id}", lambda: desk.services().results.list(desk.actor(), run.id)
    )
    if not results:
        st.caption("This run made no files.")
        return
    shown = [result for result in results if result.title][:PREVIEWED]
    for number, result in enumerate(shown or results[:1]):
        _highlight(run, result, number)
    st.subheader("All files", anchor=False)
    _files(run, results)


def _highlight(run: Run, result: Result, number: int) -> None:
    """One result with its preview and the ways to get it."""
    with st.container(border=True, key=f"result-{number}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(plain(result.title or result.path), anchor=False, width="content")
            st.caption(f"{plain(result.path)}  ·  {size(result.size)}", width="content")
            st.space("stretch")
            st.link_button(
                "Open in new tab",
                _link(run, result, inline=True),
                icon=":material/open_in_new:",
                type="tertiary",
                key=f"open-{number}",
            )
            st.link_button(
                "Download",
                _link(run, result),
                icon=":material/download:",
                type="tertiary",
                key=f"download-{number}",
            )
        path = desk.services().results.path(desk.actor(), run.id, result.path)
        previews.draw(result, path, _link(run, result, inline=True))


def _files(run: Run, results: Sequence[Result]) -> None:
    rows = [
        {
            "File": result.path,
            "Title": result.title,
            "Kind": result.kind,
            "Size": size(result.size),
            "sha256": result.sha256,
            "Open": _link(run, result, inline=True),
            "Download": _link(run, result),
        }
        for result in results
    ]
    st.dataframe(
        pd.DataFrame(rows),
        key="files",
        hide_index=True,
        height="content" if len(rows) <= 15 else 560,
        row_height=36,
        alt="All result files",
        column_config={
            "File": st.column_config.TextColumn(width=300),
            "Kind": st.column_config.TextColumn(width=80),
            "Size": st.column_config.TextColumn(width=90),
            "sha256": st.column_config.TextColumn(width=150),
            "Open": st.column_config.LinkColumn(display_text="Open", width=80),
            "Download": st.column_config.LinkColumn(display_text="Download", width=100),
        },
    )
    st.caption(f"{amount(len(rows), 'file')}, {size(sum(result.size for result in results))}")


def _link(run: Run, result: Result, *, inline: bool = False) -> str:
    query = {"inline": "1"} if inline else {}
    return desk.link(f"/api/v1/runs/{run.id}/results/{result.path}", **query)
