"""Fields to choose uploaded files and to upload more of them.

The browser sends files straight to the API, in slices that survive interrupted connections and
closed tabs (`assets/uploader`); their content does not pass through the portal.
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
from ui.forms.file_endings import endings
from ui.forms.form_state import restore

MAX_OFFERED_FILES = 200  # the newest ones
MAX_HANDLED_UPLOADS = 200  # the latest ones, which the browser may forget
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
    on_arrival: Callable[[str], None],
    *,
    label: str,
    slot: str = "",
    many: bool = True,
    pattern: str | None = None,
) -> None:
    """Draw an upload box; `on_arrival` is called with the id of each uploaded file.

    An upload belongs to a `slot`: it continues there after the page was left and opened again.
    Without a slot, the box also shows the unfinished uploads of all others. Users with read-only
    access get no box.
    """
    if not context.may_change():
        return
    handled: list[str] = st.session_state.setdefault(f"{key}:taken", [])
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
                "endings": endings(pattern),
                "taken": handled[-MAX_HANDLED_UPLOADS:],
            },
            on_files_change=lambda: _handle_arrivals(key, on_arrival),
            on_expired_change=context.renew_links,
        )


def _handle_arrivals(key: str, on_arrival: Callable[[str], None]) -> None:
    """Call `on_arrival` for each upload that the box reports for the first time."""
    handled: list[str] = st.session_state[f"{key}:taken"]
    for upload in st.session_state[f"{key}:box"].get("files") or []:
        if upload["key"] not in handled:
            handled.append(upload["key"])
            on_arrival(str(upload["file"]))


def load_files() -> None:
    """Load the newest files; call it before a form with file fields is drawn."""
    services, actor = context.services(), context.actor()
    page = errors.latest("files", lambda: services.files.list(actor, limit=MAX_OFFERED_FILES))
    st.session_state["offered"] = list(page.items)


def draw_single(
    initial: Any, pattern: str | None, common: dict[str, Any]
) -> tuple[str | None, str]:
    """Draw a field for one file; return its id, or None, and the label that the field shows.

    `common` holds arguments of the widget.
    """
    key = common["key"]
    restore(key, initial if isinstance(initial, str) else None)
    names = _choices(pattern, [st.session_state[key]], initial)
    chosen = st.selectbox(
        options=list(names),
        index=None,
        format_func=lambda value: names.get(value, value),
        placeholder="Select from your files" if names else "No suitable files yet",
        **common,
    )
    _field(pattern, common, many=False)
    return chosen, "" if chosen is None else names.get(chosen, chosen)


def draw_multiple(
    initial: Any, pattern: str | None, common: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """Draw a field for several files; return their ids, and the labels that the field shows."""
    key = common["key"]
    held = restore(key, list(initial) if isinstance(initial, list) else [])
    names = _choices(pattern, st.session_state[key], initial)
    chosen = st.multiselect(
        options=list(names),
        default=held,
        format_func=lambda value: names.get(value, value),
        placeholder="Select from your files" if names else "No suitable files yet",
        **common,
    )
    _field(pattern, common, many=True)
    return chosen, [names.get(value, value) for value in chosen]


def _field(pattern: str | None, common: dict[str, Any], *, many: bool) -> None:
    """Draw the upload box of a field; an uploaded file is selected in the field."""
    key = common["key"]

    def choose(file: str) -> None:
        chosen = st.session_state.get(key) or []
        st.session_state[key] = list(dict.fromkeys([*chosen, file])) if many else file

    slot = f"{st.session_state.get('form', '')} {key}"
    label = common["label"].replace("\\", "")  # Markdown → plain text
    box(key, choose, label=label, slot=slot, many=many, pattern=pattern)


def _choices(pattern: str | None, chosen: Sequence[Any], initial: Any) -> dict[str, str]:
    """Return the files to choose from, newest first: id → name to show."""
    known: list[File] = st.session_state["offered"]
    names = {file.id: _name(file) for file in known if _fits(file.name, pattern)}
    for value in chosen:
        if isinstance(value, str) and value not in names:
            names[value] = _other(value, initial)
    return names


def _other(value: str, initial: Any) -> str:
    """Return the name of a selected value that is not one of the newest files."""
    try:
        return _name(context.services().files.get(context.actor(), value))
    except NotFound:
        own = value == initial or (isinstance(initial, list) and value in initial)
        return f"{PurePosixPath(value).name} (from the workflow)" if own else value
    except RundeskError:
        return value


def _name(file: File) -> str:
    return f"{file.name}  ·  {size(file.size)}"


def _fits(name: str, pattern: str | None) -> bool:
    return not pattern or re.search(pattern, name) is not None
