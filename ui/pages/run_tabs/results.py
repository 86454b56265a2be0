"""What a run made: its highlights first, then every file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import streamlit as st

from services.models import Result, Run, State
from services.runs.views import RunView
from ui import context, errors
from ui.formatting import amount, plain, size, table
from ui.parts import file_viewer, keyboard_list

PREVIEWED = 12  # highlights shown open; the rest is in the list
LONGEST = 3000  # characters of paths in an address; the API's server takes 4,094 in all


def draw(view: RunView) -> None:
    run = view.run
    if run.state is not State.COMPLETE:
        st.caption(
            "A run that did not complete publishes no results; its log says how far it came."
            if run.state.final
            else "The results appear here when the run is done."
        )
        return
    results = errors.latest(
        f"results {run.id}", lambda: context.services().results.list(context.actor(), run.id)
    )
    if not results:
        st.caption("This run made no files.")
        return
    shown = [result for result in results if result.title][:PREVIEWED]
    for number, result in enumerate(shown or results[:1]):
        _look(run, result, str(number))
    _files(run, results)


def _look(run: Run, result: Result, place: str) -> None:
    """One result with its preview and the ways to get it."""
    with st.container(border=True, key=f"result-{place}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(plain(result.title or result.path), anchor=False, width="content")
            st.caption(f"{plain(result.path)}  ·  {size(result.size)}", width="content")
            st.space("stretch")
            st.link_button(
                "Open in new tab",
                _link(run, result, inline=True),
                icon=":material/open_in_new:",
                type="tertiary",
                key=f"open-{place}",
            )
            st.link_button(
                "Download",
                _link(run, result),
                icon=":material/download:",
                type="tertiary",
                key=f"download-{place}",
            )
        path = context.services().results.path(context.actor(), run.id, result.path)
        file_viewer.draw(result, path, place, _link(run, result, inline=True))


def _files(run: Run, results: Sequence[Result]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="files-head"):
        st.subheader("All files", anchor=False, width="content")
        st.caption(_sum(results), width="content")
        st.space("stretch")
        _zip(run, results)
    rows = [
        {
            "File": result.path,
            "Title": result.title,
            "Kind": result.kind,
            "Size": size(result.size),
            "Made by": result.rule or "",
            "sha256": result.sha256,
            "Open": _link(run, result, inline=True),
            "Download": _link(run, result),
        }
        for result in results
    ]
    st.dataframe(
        table(rows),
        key="files",
        hide_index=True,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        height="content" if len(rows) <= 15 else 560,
        row_height=36,
        alt="All result files",
        column_config={
            "File": st.column_config.TextColumn(width=300),
            "Kind": st.column_config.TextColumn(width=80),
            "Size": st.column_config.TextColumn(width=90),
            "Made by": st.column_config.TextColumn(width=110),
            "sha256": st.column_config.TextColumn(width=150),
            "Open": st.column_config.LinkColumn(display_text="Open", width=80),
            "Download": st.column_config.LinkColumn(display_text="Download", width=100),
        },
    )
    st.caption("Click one to look into it, tick several to download them as one zip.")
    by_path = {result.path: result for result in results}
    if reached := keyboard_list.draw("Look into a file", {path: path for path in by_path}, "files"):
        st.session_state["looked-into"] = reached
    cells, reached = _selected().get("cells", []), st.session_state.get("looked-into")
    if cells and cells[0][0] < len(results):
        _look(run, results[cells[0][0]], "chosen")
    elif reached in by_path:
        _look(run, by_path[reached], "chosen")


def _selected() -> dict[str, Any]:
    """Rows that are ticked, and the cell that was clicked."""
    found: dict[str, Any] = st.session_state.get("files", {}).get("selection", {})
    return found


def _zip(run: Run, results: Sequence[Result]) -> None:
    """The ways to get several files at once: those that are ticked, or all."""
    chosen = [results[row] for row in _selected().get("rows", []) if row < len(results)]
    address = f"/api/v1/runs/{run.id}/results.zip"
    paths = "\n".join(result.path for result in chosen)
    if len(quote(paths)) > LONGEST:
        st.caption("Too many ticked for one link: download all.", width="content")
    elif chosen:
        st.link_button(
            f"Download {amount(len(chosen), 'file')} ({size(sum(one.size for one in chosen))})",
            context.link(address, paths=paths),
            icon=":material/download:",
            key="download-chosen",
        )
    st.link_button(
        "Download all",
        context.link(address),
        icon=":material/folder_zip:",
        help="One zip with every file.",
        key="download-all",
    )
    st.link_button(
        "RO-Crate",
        context.link(f"/api/v1/runs/{run.id}/crate"),
        icon=":material/inventory_2:",
        help="One zip with everything that a reader of a paper would ask for: workflow, parameters,"
        " inputs, each step with its times, and the results (Workflow Run RO-Crate).",
        key="download-crate",
    )
    st.link_button(
        "Snakemake report",
        context.link(f"/api/v1/runs/{run.id}/snakemake-report"),
        icon=":material/summarize:",
        help="Rules, times and marked results, as Snakemake tells them. It takes some seconds.",
        key="snakemake-report",
    )


def _sum(results: Sequence[Result]) -> str:
    return f"{amount(len(results), 'file')}, {size(sum(result.size for result in results))}"


def _link(run: Run, result: Result, *, inline: bool = False) -> str:
    query = {"inline": "1"} if inline else {}
    return context.link(f"/api/v1/runs/{run.id}/results/{result.path}", **query)
