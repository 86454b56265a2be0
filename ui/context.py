"""What a view needs of its surroundings: the services, who looks at it, pages, links."""

from __future__ import annotations

import time
from datetime import UTC, datetime, tzinfo
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from services.access import actors
from services.bootstrap import Services, build
from services.models import Actor
from services.settings import Settings
from ui.streamlit_internals import Page

ONLY_LOOK = "The token you signed in with allows only to look."
FRESH = 1800  # s that a signed link is shown again before a new one is made


@st.cache_resource(show_spinner=False)
def services() -> Services:
    """The services of this process, built once."""
    return build(Settings.load())


def actor() -> Actor:
    """Who looks at the page. Raises NotSignedIn."""
    return services().sessions.actor_of(st.context.headers, session())


def session() -> str:
    """What the browser's cookie holds, or ""."""
    return st.context.cookies.get(services().sessions.cookie, "")


def may_change() -> bool:
    """Whether who looks at the page may do more than that."""
    return actors.may_change(actor())


def button(label: str, **given: Any) -> bool:
    """A button that changes something; who may only look finds it disabled, with the reason."""
    if not may_change():
        given |= {"disabled": True, "help": ONLY_LOOK}
    return bool(st.button(label, **given))


def pages() -> dict[str, Page]:
    """The pages by name; portal.py fills them in."""
    found: dict[str, Page] = st.session_state.setdefault("pages", {})
    return found


def go(name: str, /, **query: str) -> NoReturn:
    """Open another page."""
    st.switch_page(pages()[name], query_params=query)


def link(path: str, **query: str) -> str:
    """A signed address of `path` at the API.

    The same for a while: a new one at each poll would make the browser load a frame again.
    """
    made: dict[str, tuple[float, str]] = st.session_state.setdefault("links", {})
    who, now = actor(), time.monotonic()
    key = f"{path}?{sorted(query.items())}"
    if key not in made or now - made[key][0] > FRESH:
        address = services().links.make(who, path, seconds=4 * FRESH, **query)
        made[key] = (now, address)
    return made[key][1]


def renew_links() -> None:
    """One of the links has expired: make new ones."""
    st.session_state.pop("links", None)


def local(time: datetime) -> str:
    """A time in the reader's zone, as text."""
    try:
        zone: tzinfo = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = UTC
    return f"{time.astimezone(zone):%d %b %Y %H:%M:%S}"


def flash(text: str) -> None:
    """Say something after the page has been drawn again."""
    st.session_state["flash"] = text


def show_flash() -> None:
    if text := st.session_state.get("flash"):
        st.toast(text, icon=":material/info:")


def drop_flash() -> None:
    """It was shown: the page is drawn to its end. One drawn anew before that loses its toasts."""
    st.session_state.pop("flash", None)
