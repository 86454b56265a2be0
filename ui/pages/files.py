"""The registered files: uploaded here, found, looked into, downloaded, deleted."""

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

LIMIT = 50  # files on a page
ROWS = 12  # of the table that are seen without scrolling in it
ROW = 38  # px
LINKED = 8  # runs that are named
TABLE = "files-table"  # key


def page() -> None:
    for other in ("id", "from"):  # of other pages, left in the browser's history
        st.query_params.pop(other, None)
    st.title("Files", anchor=False)
    if context.may_change():
        file_fields.box("files", lambda _: _newest(), label="Files")
        imports.box()
    else:
        st.caption(f":material/lock: {context.ONLY_LOOK}")
    text, kind = _filters()
    after = st.query_params.get("after", "")[:200] or None
    try:
        found, uses = errors.latest(f"files {text} {kind} {after}", lambda: _ask(text, kind, after))
    except Invalid:  # a token of another desk, or of another time
        _newest()
        st.rerun()
    if found.items:
        _table(found.items, uses)
        if file_id := keyboard_list.draw(
            "Look into a file", {f.id: f.name for f in found.items}, TABLE
        ):
            st.query_params["file"] = file_id
        _pager(found, after)
    elif text or kind or after:
        _note("search_off", "No file matches", "Clear the search or the filter.")
    else:
        words = (
            "Drop files above, or choose them: any size, any kind." if context.may_change() else ""
        )
        _note("draft", "No file yet", words)
    _chosen()


def _filters() -> tuple[str, str]:
    """Search and kind, which the URL keeps."""
    common = {"bind": "query-params", "label_visibility": "collapsed", "on_change": _newest}
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


def _newest() -> None:
    """Another filter, or a new file: from the newest one on."""
    st.query_params.pop("after", None)


def _ask(text: str, kind: str, after: str | None) -> tuple[Page[File], dict[str, int]]:
    files, actor = context.services().files, context.actor()
    found = files.list(actor, text=text, kind=kind, after=after, limit=LIMIT)
    return found, {file.id: files.uses(actor, file.id) for file in found.items}


def _table(files: list[File], uses: dict[str, int]) -> None:
    st.session_state["listed-files"] = [file.id for file in files]
    signed_in = context.services().settings.sign_in
    rows = [_row(file, uses.get(file.id, 0)) for file in files]
    st.dataframe(
        table(rows),
        key=TABLE,
        hide_index=True,
        on_select=_choose,
        selection_mode="single-cell",
        height="content" if len(rows) <= ROWS else ROW * (ROWS + 1),
        row_height=ROW,
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


def _choose() -> None:
    """Keep the file that was clicked in the URL."""
    cells = st.session_state[TABLE]["selection"]["cells"]
    listed = st.session_state.get("listed-files", [])
    if cells and cells[0][0] < len(listed):
        st.query_params["file"] = listed[cells[0][0]]


def _pager(found: Page[File], after: str | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="pager"):
        words = f"{amount(len(found.items), 'file')}. Click one to look into it."
        st.caption(words, width="content")
        st.space("stretch")
        if after and st.button("Newest", icon=":material/first_page:", key="newest"):
            _newest()
            st.rerun()
        if found.next and st.button(
            "Older", icon=":material/chevron_right:", icon_position="right", key="older"
        ):
            st.query_params["after"] = found.next
            st.rerun()


def _note(icon: str, heading: str, words: str) -> None:
    with st.container(border=True, horizontal_alignment="center", key="no-file"):
        st.markdown(f"#### :material/{icon}: {heading}", anchors=False)
        st.caption(words)


def _chosen() -> None:
    """The file that the URL names, with all that is known of it."""
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
        st.caption(f"{size(file.size)} ({file.size:,} bytes), added {context.local(file.created)}")
        st.code(f"sha256 {file.sha256}", language=None, wrap_lines=True)
        _runs(file)
        _preview(file)


def _head(file: File) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"#### {plain(file.name)}", anchors=False, width="content")
        st.markdown(f":gray-badge[{plain(file.kind)}]", width="content")
        st.space("stretch")
        address = context.link(f"/api/v1/files/{file.id}/content")
        st.link_button("Download", address, icon=":material/download:", key="download")
        if context.button("Delete", icon=":material/delete:", key="delete"):
            _confirm(file)


@st.dialog("Delete this file?", icon=":material/delete:")
def _confirm(file: File) -> None:
    st.markdown(f"**{plain(file.name)}** ({size(file.size)}) is removed from this desk for good.")
    if run_actions.choice("Delete the file", "delete-file"):
        try:
            context.services().files.delete(context.actor(), file.id)
        except RundeskError as error:
            errors.tell(error)
        else:
            st.query_params.pop("file", None)
            context.flash(f"Deleted {plain(file.name)}.")
            st.rerun()


def _runs(file: File) -> None:
    """The runs that use it, newest first."""
    services, actor = context.services(), context.actor()
    found = services.runs.list(actor, RunFilter(file=file.id, limit=LINKED))
    if not found.items:
        st.caption("No run uses it.")
        return
    used = services.files.uses(actor, file.id)
    st.markdown(f"**Used by {amount(used, 'run')}**")
    with st.container(horizontal=True, gap="small", key="used-by"):
        for run in found.items:
            label = plain(title(run))
            link = {"label": label, "icon": ":material/monitoring:"}
            st.page_link(context.pages()["run"], query_params={"id": run.id}, **link)
        if used > len(found.items):
            st.caption(f"and {used - len(found.items):,} more", width="content")


def _preview(file: File) -> None:
    path = context.services().files.path(context.actor(), file.id)
    if not path.exists():
        st.warning("The content of this file is gone from the disk.", icon=":material/error:")
        return
    shown = Result(path=file.name, size=file.size, sha256=file.sha256, kind=file.kind)
    file_viewer.draw(shown, path, "file")
