"""Imports of files from URLs and from the inbox folder of the server."""

from __future__ import annotations

from typing import Any

import streamlit as st

from services.errors import RundeskError
from services.models import Import, ImportRequest
from ui import context, errors
from ui.formatting import plain, sentences, size

POLL_INTERVAL_S = 2.0  # while an import is in progress
MAX_IMPORTS = 20  # the newest ones
MAX_INBOX_FILES = 200  # that can be selected


def box() -> None:
    """Draw the ways to import files that the installation allows, and the imports in progress."""
    services = context.services()
    if services.settings.import_hosts:
        _link()
    if services.inbox.offered:
        _inbox()
    if services.settings.import_hosts or services.inbox.offered:
        active = any(item.ended is None for item in _own())
        st.fragment(_progress, run_every=POLL_INTERVAL_S if active else None)(active)


def _link() -> None:
    hosts = ", ".join(context.services().settings.import_hosts)
    number = st.session_state.setdefault("fetched", 0)  # each import empties the field
    with (
        st.form("fetch", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        url = st.text_input(
            "Import from a URL",
            key=f"link-{number}",
            max_chars=4000,
            placeholder="https://…",
            help=plain(f"The server downloads the file. Allowed hosts: {hosts}."),
        )
        sent = st.form_submit_button("Import", icon=":material/link:", key="fetch-link")
    if sent and _create(ImportRequest(url=url.strip() or "-")):
        st.session_state["fetched"] += 1
        st.rerun()


def _inbox() -> None:
    files = context.services().inbox.list(context.actor(), limit=MAX_INBOX_FILES)
    sizes = {file.path: size(file.size) for file in files}
    number = st.session_state.setdefault("registered", 0)
    with st.container(horizontal=True, vertical_alignment="bottom", key="inbox"):
        chosen = st.multiselect(
            "Files on the server",
            list(sizes),
            key=f"inbox-{number}",
            format_func=lambda path: f"{path}  ·  {sizes.get(path, '')}",
            placeholder="Select files" if sizes else "No files available",
            help="The files are registered in place, without an upload.",
        )
        sent = st.button("Add", icon=":material/add:", key="add-inbox", disabled=not chosen)
    created = [_create(ImportRequest(inbox=path)) for path in chosen] if sent else []
    if created and all(created):
        st.session_state["registered"] += 1
        st.rerun()


def _create(request: ImportRequest) -> bool:
    """Queue an import; on an error, show it and return False."""
    try:
        context.services().imports.create(context.actor(), request)
    except RundeskError as error:
        errors.show(error)
        return False
    return True


def _own() -> list[Import]:
    """Return the newest imports of the user that have not become files."""
    services, actor = context.services(), context.actor()
    page = errors.latest("imports", lambda: services.imports.list(actor, limit=MAX_IMPORTS))
    return [item for item in page.items if item.owner == actor.id and item.file is None]


@errors.guarded
def _progress(active: bool) -> None:
    """Draw the imports; draw the whole page again when one ends or the polling has to change."""
    imports = _own()
    current = {item.id for item in imports if item.ended is None}
    before = st.session_state.get("current-imports", set())
    st.session_state["current-imports"] = current
    for item in imports:
        _row(item)
    if bool(current) != active or before - current:
        st.rerun()


def _row(item: Import) -> None:
    name = plain(item.name or item.url or "")
    with st.container(horizontal=True, vertical_alignment="center", key=f"import-{item.id}"):
        if item.ended is None:
            st.progress(_share(item), text=f"{name}: {_received(item)}")
        else:
            reason = plain(sentences(item.error or "", item.hint))
            st.error(f"{name}: {reason}", icon=":material/error:")
        common: dict[str, Any] = {"key": f"end-{item.id}", "type": "tertiary"}
        label = "Stop" if item.ended is None else "Dismiss"
        st.button(label, icon=":material/close:", on_click=_end, args=(item.id,), **common)


def _share(item: Import) -> float:
    return min(1.0, item.received / item.size) if item.size else 0.0


def _received(item: Import) -> str:
    if item.started is None:
        return "waiting"
    if item.size:
        return f"{size(item.received)} of {size(item.size)}"
    return size(item.received)


def _end(import_id: str) -> None:
    with errors.shown_errors():
        context.services().imports.delete(context.actor(), import_id)
