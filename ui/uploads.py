"""Choosing registered files, and uploading further ones in place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import streamlit as st

from services.errors import NotFound, RundeskError
from services.models import File
from ui import desk, errors
from ui.look import plain, size
from ui.typed import begin

LARGEST = 200  # MB; what is uploaded here passes through the portal's memory
OFFERED = 200  # newest files offered for choice
LARGE = f"Files of up to {LARGEST} MB can be uploaded here. Larger ones go to the API: "
COMMAND = "curl --data-binary @reads.fastq.gz '{}/api/v1/files?name=reads.fastq.gz'"


def look() -> None:
    """See which files there are; before a form with file fields is drawn."""
    services, actor = desk.services(), desk.actor()
    page = errors.latest("files", lambda: services.files.list(actor, limit=OFFERED))
    st.session_state["offered"] = list(page.items)


def note() -> None:
    """Say where files go that are too large for the page."""
    st.caption(plain(LARGE + COMMAND.format(desk.services().settings.public_api_url)))


def one(initial: Any, pattern: str | None, common: dict[str, Any]) -> str | None:
    """A file: its id, or None. `common` are the arguments of the widget."""
    key = common["key"]
    begin(key, initial if isinstance(initial, str) else None)
    names = _choices(pattern, [st.session_state[key]], initial)
    chosen = st.selectbox(
        options=list(names),
        index=None,
        format_func=lambda value: names.get(value, value),
        placeholder="Choose a file" if names else "No file yet: upload one",
        **common,
    )
    _uploader(key, pattern, many=False)
    return chosen


def several(initial: Any, pattern: str | None, common: dict[str, Any]) -> list[str]:
    """Several files: their ids."""
    key = common["key"]
    begin(key, list(initial) if isinstance(initial, list) else [])
    names = _choices(pattern, st.session_state[key], initial)
    chosen = st.multiselect(
        options=list(names),
        format_func=lambda value: names.get(value, value),
        placeholder="Choose files" if names else "No file yet: upload some",
        **common,
    )
    _uploader(key, pattern, many=True)
    return chosen


def _choices(pattern: str | None, chosen: Sequence[Any], initial: Any) -> dict[str, str]:
    """What can be chosen: file ids with the names to show, newest first."""
    known: list[File] = st.session_state["offered"]
    names = {file.id: _name(file) for file in known if _fits(file.name, pattern)}
    for value in chosen:
        if isinstance(value, str) and value not in names:
            names[value] = _other(value, initial)
    return names


def _other(value: str, initial: Any) -> str:
    """The name of a chosen value that is none of the newest files."""
    try:
        return _name(desk.services().files.get(desk.actor(), value))
    except NotFound:
        own = value == initial or (isinstance(initial, list) and value in initial)
        return f"{PurePosixPath(value).name} (of the workflow)" if own else value
    except RundeskError:
        return value


def _name(file: File) -> str:
    return f"{file.name}  ·  {size(file.size)}"


def _fits(name: str, pattern: str | None) -> bool:
    return not pattern or re.search(pattern, name) is not None


def _uploader(key: str, pattern: str | None, *, many: bool) -> None:
    """A drop zone; what arrives is registered and chosen, and the zone is empty again."""
    number = st.session_state.get(f"{key}:uploads", 0)
    widget = f"{key}-upload-{number}"
    with st.container(key=f"upload-{key}"):
        st.file_uploader(
            "Upload",
            key=widget,
            accept_multiple_files=many,
            max_upload_size=LARGEST,
            label_visibility="collapsed",
            on_change=_take,
            args=(key, widget, pattern, many),
        )
    if refused := st.session_state.get(f"{key}:refused"):
        st.markdown(f":red[:material/error: {refused}]")


def _take(key: str, widget: str, pattern: str | None, many: bool) -> None:
    """Register what was dropped and choose it."""
    dropped = st.session_state.get(widget) or []
    refused = []
    for upload in dropped if isinstance(dropped, list) else [dropped]:
        if not _fits(upload.name, pattern):
            refused.append(f"{plain(upload.name)} is not a file of the kind that is asked for.")
            continue
        try:
            file = desk.services().files.register(
                desk.actor(), upload.name, upload, size=upload.size
            )
        except RundeskError as error:
            refused.append(errors.words(error))
            continue
        chosen = st.session_state.get(key) or []
        st.session_state[key] = list(dict.fromkeys([*chosen, file.id])) if many else file.id
    st.session_state[f"{key}:refused"] = "  \n".join(refused)
    st.session_state[f"{key}:uploads"] = st.session_state.get(f"{key}:uploads", 0) + 1
