"""The private and undocumented parts of Streamlit that the portal relies on.

Only this module touches them. Each is looked up when it is needed; where a release of Streamlit no
longer has one, the portal starts without it and logs one line. The test
`tests/portal/server/test_streamlit_internals.py` names the part that moved, and
`docs/design/private-parts.md` lists them all, also those of the browser's side.
"""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:  # types that Streamlit does not export; at run time nothing needs them
    from streamlit.delta_generator import DeltaGenerator as Container
    from streamlit.navigation.page import StreamlitPage as Page
else:
    Container = Page = Any

__all__ = [
    "Container",
    "Page",
    "base_url_script",
    "cache_theme",
    "disable_address_lookups",
    "edit_page",
    "page_template",
]

log = logging.getLogger("rundesk.portal")

THEME_WRITER = "streamlit.runtime.app_session._populate_theme_msg"
STATIC_FOLDER = "streamlit.file_util.get_static_dir"
#: They find the addresses of this machine; the first one asks a server on the internet.
ADDRESS_LOOKUPS = ("streamlit.net_util.get_external_ip", "streamlit.net_util.get_internal_ip")
#: Parts of Streamlit's page that are replaced. Each must occur exactly once.
HEAD, TITLE, BODY_END = "<head>", "<title>Streamlit</title>", "</body>"
FONT_PRELOAD = re.compile(r'<link\s+rel="preload"[^>]*as="font"[^>]*>')  # of an unused font


def find(path: str) -> Any:
    """Return the object with this dotted path; None, and one line in the log, if there is none."""
    module, _, name = path.rpartition(".")
    try:
        part = getattr(import_module(module), name, None)
    except ImportError:
        part = None
    if part is None:
        log.error("Streamlit %s has no %s", st.__version__, path)
    return part


# ---- the theme ---------------------------------------------------------------------------------


def cache_theme() -> None:
    """Make Streamlit build the theme message once instead of at every poll of every page.

    Streamlit reads the six sections of the theme from its options each time it draws a page, which
    takes 0.3 ms of CPU time; no setting changes that. The options do not change while the portal
    runs. Without the private function, the portal is a little slower.
    """
    write = find(THEME_WRITER)
    if write is None:
        return
    if list(inspect.signature(write).parameters) != ["msg", "section"]:
        log.error("Streamlit %s calls %s with other arguments", st.__version__, THEME_WRITER)
        return
    module, _, name = THEME_WRITER.rpartition(".")
    setattr(import_module(module), name, _cached(write))


def _cached(write: Callable[[Any, str], None]) -> Callable[..., None]:
    """A function that writes what `write` writes, and asks it only once for each section."""
    parts: dict[str, Any] = {}

    def write_cached(msg: Any, section: str = "theme") -> None:
        if section not in parts:
            part = type(msg)()
            write(part, section)
            parts[section] = part
        if parts[section].ByteSize():
            msg.MergeFrom(parts[section])

    return write_cached


# ---- requests to other servers ----------------------------------------------------------------


def disable_address_lookups() -> None:
    """Make Streamlit compare origins only with its configured names.

    For each origin that it does not know, it asks a server on the internet for the address of this
    machine, in the event loop; no setting changes that. `ui/server/gate.py` refuses such requests
    before Streamlit sees them. Where a function is missing, Streamlit looks up nothing with it.
    """
    for path in ADDRESS_LOOKUPS:
        if find(path) is not None:
            module, _, name = path.rpartition(".")
            setattr(import_module(module), name, _no_address)


def _no_address() -> None:
    """Return no address; Streamlit then does not use it."""


# ---- the page ----------------------------------------------------------------------------------


def page_template() -> str:
    """Return the HTML page of Streamlit's client. Raises FileNotFoundError if there is none."""
    folder = find(STATIC_FOLDER)
    static = Path(folder()) if folder else Path(st.__file__).parent / "static"
    return (static / "index.html").read_text(encoding="utf-8")


def base_url_script(path: str) -> str:
    """Return JavaScript that gives Streamlit's client the path of its server.

    Without it, the client first tries addresses below that of the page and gets errors.
    """
    quoted = json.dumps(path).replace("<", "\\u003c")
    return f"window.__streamlit={{BACKEND_BASE_URL:location.origin+{quoted}}}"


def edit_page(page: str, *, title: str, first: str, last: str) -> str:
    """Return the page with another title, `first` at the start of the head, `last` in the body.

    `last` goes to the end of the body: after the styles that it changes, and before anything is
    drawn. Where a mark does not occur exactly once, the log names it, and the HTML is added to the
    end of the page, which browsers read as a part of the body.
    """
    page, count = FONT_PRELOAD.subn("", page)
    if count != 1:
        _log_mark(FONT_PRELOAD.pattern, count)
    missing = ""
    for mark, replacement, html in (
        (TITLE, f"<title>{title}</title>", ""),
        (HEAD, f"{HEAD}{first}", first),
        (BODY_END, f"{last}{BODY_END}", last),
    ):
        if (count := page.count(mark)) == 1:
            page = page.replace(mark, replacement)
        else:
            _log_mark(mark, count)
            missing += html
    return page + missing


def _log_mark(mark: str, count: int) -> None:
    log.error(
        "The page of Streamlit %s has %s %d times instead of once", st.__version__, mark, count
    )
