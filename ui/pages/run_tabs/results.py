"""The results of a run: first its highlights, then all files."""

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

MAX_PREVIEWS = 12  # of highlights; the list has the others
MAX_PATHS_LENGTH = 3000  # characters in a URL; the server of the API accepts 4,094 in total


def draw(view: RunView) -> None:
    """Draw previews of the highlights, and the list of all files."""
    run = view.run
    if run.state is not State.COMPLETE:
        st.caption(
            "This run did not complete, so it has no results. See its log for details."
            if run.state.final
            else "The results appear when the run has completed."
        )
        return
    results = errors.latest(
        f"results {run.id}", lambda: context.services().results.list(context.actor(), run.id)
    )
    if not results:
        st.caption("This run produced no result files.")
        return
    highlights = [result for result in results if result.title][:MAX_PREVIEWS]
    for number, result in enumerate(highlights or results[:1]):
        _preview(run, result, str(number))
    _files(run, results)


def _preview(run: Run, result: Result, place: str) -> None:
    """Draw a result with its preview and its links. `place` makes the keys unique."""
    with st.container(border=True, key=f"result-{place}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(plain(result.title or result.path), anchor=False, width="content")
            st.caption(f"{plain(result.path)}  ·  {size(result.size)}", width="content")
            st.space("stretch")
            st.link_button(
                "Open in a new tab",
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
        with errors.shown_errors():  # what is below the preview is drawn anyway
            path = context.services().results.path(context.actor(), run.id, result.path)
            file_viewer.draw(result, path, place, _link(run, result, inline=True))


def _files(run: Run, results: Sequence[Result]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="files-head"):
        st.subheader("All files", anchor=False, width="content")
        st.caption(_total(results), width="content")
        st.space("stretch")
        _downloads(run, results)
    rows = [
        {
            "File": result.path,
            "Title": result.title,
            "Kind": result.kind,
            "Size": size(result.size),
            "Step": result.rule or "",
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
            "Step": st.column_config.TextColumn(width=110),
            "sha256": st.column_config.TextColumn(width=150),
            "Open": st.column_config.LinkColumn(display_text="Open", width=80),
            "Download": st.column_config.LinkColumn(display_text="Download", width=100),
        },
    )
    st.caption("Click a file to preview it. Select several to download them as one zip file.")
    by_path = {result.path: result for result in results}
    if path := keyboard_list.draw("Show a file", {path: path for path in by_path}, "files"):
        st.session_state["listed-file"] = path
    cells, listed = _selection().get("cells", []), st.session_state.get("listed-file")
    if cells and cells[0][0] < len(results):
        _preview(run, results[cells[0][0]], "chosen")
    elif listed in by_path:
        _preview(run, by_path[listed], "chosen")


def _selection() -> dict[str, Any]:
    """Return the selected rows and the clicked cell."""
    selection: dict[str, Any] = st.session_state.get("files", {}).get("selection", {})
    return selection


def _downloads(run: Run, results: Sequence[Result]) -> None:
    """Draw links for the selected files, for all files, and for the run as a whole."""
    selected = [results[row] for row in _selection().get("rows", []) if row < len(results)]
    address = f"/api/v1/runs/{run.id}/results.zip"
    paths = "\n".join(result.path for result in selected)
    if len(quote(paths)) > MAX_PATHS_LENGTH:
        st.caption("Too many files are selected. Download all files instead.", width="content")
    elif selected:
        total = size(sum(result.size for result in selected))
        st.link_button(
            f"Download {amount(len(selected), 'file')} ({total})",
            context.link(address, paths=paths),
            icon=":material/download:",
            key="download-chosen",
        )
    st.link_button(
        "Download all",
        context.link(address),
        icon=":material/folder_zip:",
        help="Downloads all files as one zip file.",
        key="download-all",
    )
    st.link_button(
        "RO-Crate",
        context.link(f"/api/v1/runs/{run.id}/crate"),
        icon=":material/inventory_2:",
        help="Downloads the workflow, parameters, inputs, steps with their times, and results as"
        " one zip file (Workflow Run RO-Crate).",
        key="download-crate",
    )
    st.link_button(
        "Snakemake report",
        context.link(f"/api/v1/runs/{run.id}/snakemake-report"),
        icon=":material/summarize:",
        help="Downloads Snakemake's report of rules, times and marked results. This takes a few"
        " seconds.",
        key="snakemake-report",
    )


def _total(results: Sequence[Result]) -> str:
    return f"{amount(len(results), 'file')}, {size(sum(result.size for result in results))}"


def _link(run: Run, result: Result, *, inline: bool = False) -> str:
    query = {"inline": "1"} if inline else {}
    return context.link(f"/api/v1/runs/{run.id}/results/{result.path}", **query)
