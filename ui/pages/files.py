"""The registered files: upload, search, preview, download, delete."""

from __future__ import annotations

from typing import Any

import streamlit as st

from services.errors import Invalid, NotFound, RundeskError
from services.files.registry import KINDS
from services.models import File, Page, Result, RunFilter
from ui import context, errors
from ui.formatting import amount, plain, size, table, title
from ui.forms import file_fields
from ui.parts import file_viewer, imports, keyboard_list, run_actions

PAGE_SIZE = 50  # files
MAX_UNSCROLLED_ROWS = 12  # a longer table has a fixed height and scrolls
ROW_HEIGHT_PX = 38
SCROLLED_HEIGHT_PX = ROW_HEIGHT_PX * (MAX_UNSCROLLED_ROWS + 1)
MAX_LINKED_RUNS = 8
TABLE_KEY = "files-table"


def page() -> None:
    for other in ("id", "from"):  # left in the history of the browser by other pages
        st.query_params.pop(other, None)
    st.title("Files", anchor=False)
    if context.may_change():
        file_fields.box("files", lambda _: _show_newest(), label="Files")
        imports.box()
    else:
        st.caption(f":material/lock: {context.READ_ONLY}")
    text, kind = _filters()
    after = st.query_params.get("after", "")[:200] or None
    try:
        files, uses = errors.latest(
            f"files {text} {kind} {after}", lambda: _list(text, kind, after)
        )
    except Invalid:  # a page token of another installation
        _show_newest()
        st.rerun()
    if files.items:
        _table(files.items, uses)
        names = {file.id: file.name for file in files.items}
        if file_id := keyboard_list.draw("Show a file", names, TABLE_KEY):
            st.query_params["file"] = file_id
        _pager(files, after)
    elif text or kind or after:
        _note("search_off", "No matching files", "Clear the search and the filter.")
    else:
        hint = "Drop files above, or select them there." if context.may_change() else ""
        _note("draft", "No files yet", hint)
    _selected()


def _filters() -> tuple[str, str]:
    """Draw the search and the filter by kind, which the URL keeps; return their values."""
    common: dict[str, Any] = {
        "bind": "query-params",
        "label_visibility": "collapsed",
        "on_change": _show_newest,
    }
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        words = st.text_input(
            "Search",
            key="find",
            type="search",
            max_chars=200,
            placeholder="Search names",
            icon=":material/search:",
            width=300,
            **common,
        )
        kind = st.selectbox(
            "Kind",
            [*KINDS, "other"],
            index=None,
            placeholder="Any kind",
            key="kind",
            width=180,
            **common,
        )
    return (words or "").strip()[:200], kind or ""


def _show_newest() -> None:
    """Go to the newest files."""
    st.query_params.pop("after", None)


def _list(text: str, kind: str, after: str | None) -> tuple[Page[File], dict[str, int]]:
    """Return a page of files, and how many runs use each."""
    files, actor = context.services().files, context.actor()
    page = files.list(actor, text=text, kind=kind, after=after, limit=PAGE_SIZE)
    return page, {file.id: files.uses(actor, file.id) for file in page.items}


def _table(files: list[File], uses: dict[str, int]) -> None:
    st.session_state["listed-files"] = [file.id for file in files]
    signed_in = context.services().settings.sign_in
    rows = [_row(file, uses.get(file.id, 0)) for file in files]
    st.dataframe(
        table(rows),
        key=TABLE_KEY,
        hide_index=True,
        on_select=_select,
        selection_mode="single-cell",
        height="content" if len(rows) <= MAX_UNSCROLLED_ROWS else SCROLLED_HEIGHT_PX,
        row_height=ROW_HEIGHT_PX,
        alt="Files, newest first",
        column_order=[name for name in rows[0] if signed_in or name != "Owner"],
        column_config={
            "Name": st.column_config.TextColumn(width=320),
            "Kind": st.column_config.TextColumn(width=100),
            "Size": st.column_config.TextColumn(width=100),
            "Used by": st.column_config.TextColumn(width=110),
            "Added": st.column_config.DatetimeColumn(format="distance", width=130),
            "sha256": st.column_config.TextColumn(width=160),
            "Owner": st.column_config.TextColumn(width=120),
        },
    )


def _row(file: File, used: int) -> dict[str, Any]:
    return {
        "Name": file.name,
        "Kind": file.kind,
        "Size": size(file.size),
        "Used by": amount(used, "run") if used else "–",
        "Added": file.created,
        "sha256": file.sha256,
        "Owner": file.owner,
    }


def _select() -> None:
    """Put the clicked file into the URL."""
    cells = st.session_state[TABLE_KEY]["selection"]["cells"]
    listed = st.session_state.get("listed-files", [])
    if cells and cells[0][0] < len(listed):
        st.query_params["file"] = listed[cells[0][0]]


def _pager(page: Page[File], after: str | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="pager"):
        count = amount(len(page.items), "file")
        st.caption(f"{count}. Click a file to see its details.", width="content")
        st.space("stretch")
        if after and st.button("Newest", icon=":material/first_page:", key="newest"):
            _show_newest()
            st.rerun()
        if page.next and st.button(
            "Older", icon=":material/chevron_right:", icon_position="right", key="older"
        ):
            st.query_params["after"] = page.next
            st.rerun()


def _note(icon: str, heading: str, hint: str) -> None:
    """Draw a note in place of an empty table."""
    with st.container(border=True, horizontal_alignment="center", key="no-file"):
        st.markdown(f"#### :material/{icon}: {heading}", anchors=False)
        st.caption(hint)


def _selected() -> None:
    """Draw the file that the URL names, with its details."""
    file_id = st.query_params.get("file", "")
    if not file_id:
        return
    try:
        file = context.services().files.get(context.actor(), file_id)
    except NotFound:
        st.query_params.pop("file")
        return
    with st.container(border=True, key="file"):
        _head(file)
        added = context.local_time(file.created)
        length = amount(file.size, "byte")
        if file.size >= 1000:
            length = f"{size(file.size)} ({length})"
        st.caption(f"{length}, added {added}")
        st.code(f"sha256 {file.sha256}", language=None, wrap_lines=True)
        _runs(file)
        _preview(file)


def _head(file: File) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"#### {plain(file.name)}", anchors=False, width="content")
        st.markdown(f":gray-badge[{plain(file.kind)}]", width="content")
        st.space("stretch")
        url = context.link(f"/api/v1/files/{file.id}/content")
        st.link_button("Download", url, icon=":material/download:", key="download")
        if context.button("Delete", icon=":material/delete:", key="delete"):
            _confirm(file)


@st.dialog("Delete this file?", icon=":material/delete:")
def _confirm(file: File) -> None:
    st.markdown(f"This permanently deletes **{plain(file.name)}** ({size(file.size)}).")
    if run_actions.choice("Delete the file", "delete-file"):
        try:
            context.services().files.delete(context.actor(), file.id)
        except RundeskError as error:
            errors.show(error)
        else:
            st.query_params.pop("file", None)
            context.flash(f"Deleted {plain(file.name)}.")
            st.rerun()


def _runs(file: File) -> None:
    """Draw links to the runs that use a file, newest first."""
    services, actor = context.services(), context.actor()
    runs = services.runs.list(actor, RunFilter(file=file.id, limit=MAX_LINKED_RUNS)).items
    if not runs:
        st.caption("No runs use this file.")
        return
    used = services.files.uses(actor, file.id)
    st.markdown(f"**Used by {amount(used, 'run')}**")
    with st.container(horizontal=True, gap="small", key="used-by"):
        for run in runs:
            st.page_link(
                context.pages()["run"],
                label=plain(title(run)),
                icon=":material/monitoring:",
                query_params={"id": run.id},
            )
        if used > len(runs):
            st.caption(f"and {used - len(runs):,} more", width="content")


def _preview(file: File) -> None:
    path = context.services().files.path(context.actor(), file.id)
    if not path.exists():
        st.warning("The content of this file was removed from the disk.", icon=":material/error:")
        return
    result = Result(path=file.name, size=file.size, sha256=file.sha256, kind=file.kind)
    file_viewer.draw(result, path, "file")
