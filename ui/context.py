"""The surroundings of a page: services, the signed-in user, other pages, signed links."""

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

READ_ONLY = "Your access is read-only."
REDRAW_INTERVAL_S = 86400.0
LINK_RENEWAL_S = 1800  # a signed link is reused for so long; it is valid for four times as long


@st.cache_resource(show_spinner=False)
def services() -> Services:
    """Return the services of this process, built once."""
    return build(Settings.load())


def actor() -> Actor:
    """Return the user who opened the page. Raises NotSignedIn."""
    return services().sessions.actor_of(st.context.headers, session())


def session() -> str:
    """Return the secret in the session cookie of the browser, or ""."""
    return st.context.cookies.get(services().sessions.cookie, "")


def may_change() -> bool:
    """Return whether the user has more than read-only access. Raises NotSignedIn."""
    return actors.may_change(actor())


def button(label: str, **options: Any) -> bool:
    """Draw a button for an action that changes data; return whether it was clicked.

    With read-only access it is disabled, and its tooltip gives the reason.
    """
    if not may_change():
        options |= {"disabled": True, "help": READ_ONLY}
    return bool(st.button(label, **options))


@st.fragment(run_every=REDRAW_INTERVAL_S)
def redraw_after_reconnecting() -> None:
    """Make the browser draw the whole page when its lost connection is back.

    Streamlit's client always does so for a page with a timer, however rare. Otherwise a form keeps
    the buttons of a session that has ended with the portal, and a click on them does nothing.
    """


def pages() -> dict[str, Page]:
    """Return the pages by name; portal.py fills them in."""
    by_name: dict[str, Page] = st.session_state.setdefault("pages", {})
    return by_name


def go(name: str, /, **query: str) -> NoReturn:
    """Open another page with these query parameters."""
    st.switch_page(pages()[name], query_params=query)


def link(path: str, **query: str) -> str:
    """Return a signed URL for `path` at the API. Raises NotSignedIn.

    The URL stays the same for LINK_RENEWAL_S: a new one at each poll would reload frames.
    """
    links: dict[str, tuple[float, str]] = st.session_state.setdefault("links", {})
    user, now = actor(), time.monotonic()
    key = f"{path}?{sorted(query.items())}"
    if key not in links or now - links[key][0] > LINK_RENEWAL_S:
        url = services().links.make(user, path, seconds=4 * LINK_RENEWAL_S, **query)
        links[key] = (now, url)
    return links[key][1]


def renew_links() -> None:
    """Drop the signed links of this session, so that new ones are made."""
    st.session_state.pop("links", None)


def local_time(time: datetime) -> str:
    """Return a time in the time zone of the browser as text: "12 Jan 2026 09:30:00"."""
    return f"{in_browser_zone(time):%d %b %Y %H:%M:%S}"


def in_browser_zone(time: datetime) -> datetime:
    """Return a time in the time zone of the browser."""
    try:
        zone: tzinfo = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = UTC
    return time.astimezone(zone)


def flash(text: str) -> None:
    """Show a message the next time the page is drawn."""
    st.session_state["flash"] = text


def show_flash() -> None:
    """Show the message of `flash`, if there is one."""
    if text := st.session_state.get("flash"):
        st.toast(text, icon=":material/info:")


def drop_flash() -> None:
    """Forget the message of `flash`.

    Call this after the whole page was drawn: a page that is drawn again before loses its toasts.
    """
    st.session_state.pop("flash", None)
