"""Shows errors of the services on the page, and keeps pages usable during a database outage."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from services.errors import DatabaseUnavailable, NotFound, NotSignedIn, RundeskError
from ui import context
from ui.formatting import plain, sentences

P = ParamSpec("P")
T = TypeVar("T")
MAX_ANSWERS = 12  # kept per session
RECONNECT_INTERVAL_S = 3.0


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show the errors that services raise in this block; the rest of the page is drawn."""
    try:
        yield
    except DatabaseUnavailable:
        _note_outage()
    except NotSignedIn:  # the session ended while the page was open; a new run asks to sign in
        st.rerun()
    except RundeskError as error:
        show(error)


def guarded(view: Callable[P, None]) -> Callable[P, None]:
    """Make a view or fragment show its errors where it is drawn."""

    @functools.wraps(view)
    def inner(*args: P.args, **kwargs: P.kwargs) -> None:
        with shown_errors():
            view(*args, **kwargs)

    return inner


def show(error: RundeskError) -> None:
    """Show an error in a box: its message and its hint."""
    if isinstance(error, NotFound):
        st.warning(markdown(error), icon=":material/help:")
    else:
        st.error(markdown(error), icon=":material/error:")


def markdown(error: RundeskError) -> str:
    """Return the message and the hint of an error, escaped for Markdown."""
    return plain(sentences(error.message, error.hint))


def latest(key: str, ask: Callable[[], T]) -> T:
    """Return what `ask` returns; during a database outage, what it returned last for this key.

    Raises DatabaseUnavailable if there is no earlier answer.
    """
    answers: dict[str, Any] = st.session_state.setdefault("answers", {})
    try:
        if st.session_state.get("outage"):
            raise DatabaseUnavailable
        answer = ask()
    except DatabaseUnavailable:
        _note_outage()
        if key not in answers:
            raise
        known: T = answers[key]
        return known
    answers.pop(key, None)
    answers[key] = answer
    while len(answers) > MAX_ANSWERS:
        answers.pop(next(iter(answers)))
    return answer


def _note_outage() -> None:
    """Note that the database does not respond, and draw the page again below a banner."""
    if not st.session_state.get("outage"):
        st.session_state["outage"] = True
        st.rerun()


def show_banner() -> None:
    """During a database outage, say so at the top of the page, and reconnect."""
    if st.session_state.get("outage"):
        st.warning(
            "The database is not responding. Reconnecting… "
            "Runs continue in the meantime, and nothing you typed is lost.",
            icon=":material/sync_problem:",
        )
        _reconnect(time.monotonic())


@st.fragment(run_every=RECONNECT_INTERVAL_S)
def _reconnect(drawn: float) -> None:
    """Draw the page again once the database responds.

    The first call does nothing, so that it does not delay the page.
    """
    if time.monotonic() - drawn < RECONNECT_INTERVAL_S / 2:
        return
    if context.services().database_responds():
        st.session_state["outage"] = False
        st.rerun()
