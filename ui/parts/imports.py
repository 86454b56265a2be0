"""Files that the desk fetches itself: from a link, and from the folder of the server."""

from __future__ import annotations

from typing import Any

import streamlit as st

from services.errors import RundeskError
from services.models import Import, ImportRequest
from ui import context, errors
from ui.formatting import plain, size

PACE = 2.0  # s between two looks at what is on its way
SHOWN = 20  # newest imports that are looked at
OFFERED = 200  # files of the server offered for choice


def box() -> None:
    """Further ways for files to come, where the operators allow any, and how far they are."""
    services = context.services()
    if services.settings.import_hosts:
        _link()
    if services.inbox.offered:
        _inbox()
    if services.settings.import_hosts or services.inbox.offered:
        moving = any(item.ended is None for item in _own())
        st.fragment(_under_way, run_every=PACE if moving else None)(moving)


def _link() -> None:
    hosts = ", ".join(context.services().settings.import_hosts)
    fresh = st.session_state.setdefault("fetched", 0)  # a new field after each that was sent
    with (
        st.form("fetch", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        url = st.text_input(
            "From a link",
            key=f"link-{fresh}",
            max_chars=4000,
            placeholder="https://…",
            help=plain(f"The desk downloads it itself. Allowed: {hosts}."),
        )
        sent = st.form_submit_button("Fetch", icon=":material/link:", key="fetch-link")
    if sent and _begin(ImportRequest(url=url.strip() or "-")):
        st.session_state["fetched"] += 1
        st.rerun()


def _inbox() -> None:
    files = context.services().inbox.list(context.actor(), limit=OFFERED)
    sizes = {file.path: size(file.size) for file in files}
    fresh = st.session_state.setdefault("registered", 0)
    with st.container(horizontal=True, vertical_alignment="bottom", key="inbox"):
        chosen = st.multiselect(
            "On the server",
            list(sizes),
            key=f"inbox-{fresh}",
            format_func=lambda path: f"{path}  ·  {sizes.get(path, '')}",
            placeholder="Choose files" if sizes else "No file there",
            help="They are registered where they lie, without being sent.",
        )
        sent = st.button("Add", icon=":material/add:", key="add-inbox", disabled=not chosen)
    begun = [_begin(ImportRequest(inbox=path)) for path in chosen] if sent else []
    if begun and all(begun):
        st.session_state["registered"] += 1
        st.rerun()


def _begin(request: ImportRequest) -> bool:
    """Queue an import; what is wrong with it is told."""
    try:
        context.services().imports.create(context.actor(), request)
    except RundeskError as error:
        errors.tell(error)
        return False
    return True


def _own() -> list[Import]:
    """The newest imports of who looks, those left out that are files by now."""
    services, actor = context.services(), context.actor()
    page = errors.latest("imports", lambda: services.imports.list(actor, limit=SHOWN))
    return [item for item in page.items if item.owner == actor.id and item.file is None]


@errors.guarded
def _under_way(moving: bool) -> None:
    found = _own()
    waiting = {item.id for item in found if item.ended is None}
    before = st.session_state.get("under-way", set())
    st.session_state["under-way"] = waiting
    for item in found:
        _row(item)
    if bool(waiting) != moving or before - waiting:  # something arrived, or nothing moves any more
        st.rerun()


def _row(item: Import) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"import-{item.id}"):
        if item.ended is None:
            st.progress(_part(item), text=f"{plain(item.name)}: {_words(item)}")
        else:
            words = plain(f"{item.name}: {item.error} {item.hint}".strip())
            st.error(words, icon=":material/error:")
        common: dict[str, Any] = {"key": f"end-{item.id}", "type": "tertiary"}
        label = "Stop" if item.ended is None else "Dismiss"
        st.button(label, icon=":material/close:", on_click=_end, args=(item.id,), **common)


def _part(item: Import) -> float:
    return min(1.0, item.received / item.size) if item.size else 0.0


def _words(item: Import) -> str:
    if item.started is None:
        return "waits"
    whole = f" of {size(item.size)}" if item.size else ""
    return f"{size(item.received)}{whole}"


def _end(import_id: str) -> None:
    with errors.told():
        context.services().imports.delete(context.actor(), import_id)
