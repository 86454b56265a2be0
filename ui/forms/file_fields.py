"""Choosing registered files, and uploading further ones in place.

The browser sends files straight to the API, in slices that survive cut connections and closed tabs
(`assets/uploader`); no byte of them passes through the portal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import streamlit as st

from services.access.signed_links import UPLOADS
from services.errors import NotFound, RundeskError
from services.models import File
from ui import context, errors
from ui.formatting import size
from ui.forms.form_state import begin

OFFERED = 200  # newest files offered for choice
REMEMBERED = 200  # uploads told by a box that are not told again
ASSETS = Path(__file__).parents[1] / "assets" / "uploader"


def _asset(*names: str) -> str:
    return "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in names)


_box = st.components.v2.component(
    "rundesk_uploader",
    html=_asset("box.html"),
    css=_asset("style.css"),
    js=_asset("transfer.js", "view.js"),
)


def box(
    key: str,
    take: Callable[[str], None],
    *,
    label: str,
    slot: str = "",
    many: bool = True,
    pattern: str | None = None,
) -> None:
    """A place to drop files on; `take` is called with the id of each that has arrived.

    What is on its way belongs to a `slot`: it goes on there when the page was left and is opened
    again. Without one, the box shows what was left unfinished anywhere. For who may only look there
    is none.
    """
    if not context.may_change():
        return
    taken: list[str] = st.session_state.setdefault(f"{key}:taken", [])
    with st.container(key=f"upload-{key}"):
        _box(
            key=f"{key}:box",
            data={
                "link": context.link(UPLOADS),
                "largest": context.services().files.max_bytes,
                "slot": slot or key,
                "all": not slot,
                "label": label,
                "many": many,
                "pattern": pattern,
                "taken": taken[-REMEMBERED:],
            },
            on_files_change=lambda: _arrived(key, take),
            on_expired_change=context.renew_links,
        )


def _arrived(key: str, take: Callable[[str], None]) -> None:
    """Hand on what the box tells for the first time."""
    taken: list[str] = st.session_state[f"{key}:taken"]
    for told in st.session_state[f"{key}:box"].get("files") or []:
        if told["key"] not in taken:
            taken.append(told["key"])
            take(str(told["file"]))


def look() -> None:
    """See which files there are; before a form with file fields is drawn."""
    services, actor = context.services(), context.actor()
    page = errors.latest("files", lambda: services.files.list(actor, limit=OFFERED))
    st.session_state["offered"] = list(page.items)


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
    _field(pattern, common, many=False)
    return chosen


def several(initial: Any, pattern: str | None, common: dict[str, Any]) -> list[str]:
    """Several files: their ids."""
    key = common["key"]
    begun = begin(key, list(initial) if isinstance(initial, list) else [])
    names = _choices(pattern, st.session_state[key], initial)
    chosen = st.multiselect(
        options=list(names),
        default=begun,
        format_func=lambda value: names.get(value, value),
        placeholder="Choose files" if names else "No file yet: upload some",
        **common,
    )
    _field(pattern, common, many=True)
    return chosen


def _field(pattern: str | None, common: dict[str, Any], *, many: bool) -> None:
    """The box of a form's field; what arrives is chosen there."""
    key = common["key"]

    def choose(file: str) -> None:
        chosen = st.session_state.get(key) or []
        st.session_state[key] = list(dict.fromkeys([*chosen, file])) if many else file

    slot = f"{st.session_state.get('form', '')} {key}"
    label = common["label"].replace("\\", "")  # it is Markdown there, and plain text here
    box(key, choose, label=label, slot=slot, many=many, pattern=pattern)


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
        return _name(context.services().files.get(context.actor(), value))
    except NotFound:
        own = value == initial or (isinstance(initial, list) and value in initial)
        return f"{PurePosixPath(value).name} (of the workflow)" if own else value
    except RundeskError:
        return value


def _name(file: File) -> str:
    return f"{file.name}  ·  {size(file.size)}"


def _fits(name: str, pattern: str | None) -> bool:
    return not pattern or re.search(pattern, name) is not None
