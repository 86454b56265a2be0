"""The one place where errors of the services become words on the page."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from services.errors import DatabaseUnavailable, NotFound, NotSignedIn, RundeskError
from ui import context
from ui.formatting import plain

P = ParamSpec("P")
T = TypeVar("T")
REMEMBERED = 12  # answers kept per session
LOOK_AGAIN = 3.0  # s between two tries while the database is away


@contextmanager
def told() -> Iterator[None]:
    """Show what a service raises in here; the page goes on without a stack trace."""
    try:
        yield
    except DatabaseUnavailable:
        _away()
    except NotSignedIn:  # it ended while the page was open: from the start, which asks
        st.rerun()
    except RundeskError as error:
        tell(error)


def guarded(view: Callable[P, None]) -> Callable[P, None]:
    """A view (or fragment) whose errors are told where it stands."""

    @functools.wraps(view)
    def inner(*args: P.args, **kwargs: P.kwargs) -> None:
        with told():
            view(*args, **kwargs)

    return inner


def tell(error: RundeskError) -> None:
    """An error in words, with what to do next."""
    if isinstance(error, NotFound):
        st.warning(words(error), icon=":material/help:")
    else:
        st.error(words(error), icon=":material/error:")


def words(error: RundeskError) -> str:
    """An error as Markdown that is safe to show."""
    return plain(f"{error.message} {error.hint}".strip())


def latest(key: str, ask: Callable[[], T]) -> T:
    """What `ask` answers; while the database is away, what it answered last, without asking.

    Raises DatabaseUnavailable when it never answered.
    """
    answers: dict[str, Any] = st.session_state.setdefault("answers", {})
    try:
        if st.session_state.get("away"):
            raise DatabaseUnavailable
        answer = ask()
    except DatabaseUnavailable:
        _away()
        if key not in answers:
            raise
        return answers[key]
    answers.pop(key, None)
    answers[key] = answer
    while len(answers) > REMEMBERED:
        answers.pop(next(iter(answers)))
    return answer


def _away() -> None:
    """Note that the database is away, and draw the page again under a banner that says so."""
    if not st.session_state.get("away"):
        st.session_state["away"] = True
        st.rerun()


def banner() -> None:
    """While the database is away: say so on top of the page, and come back by itself."""
    if st.session_state.get("away"):
        st.warning(
            "The database does not answer at the moment; reconnecting… "
            "Runs go on meanwhile, and nothing you typed is lost.",
            icon=":material/sync_problem:",
        )
        _look_again(time.monotonic())


@st.fragment(run_every=LOOK_AGAIN)
def _look_again(drawn: float) -> None:
    """Draw the page anew as soon as the database answers; does not hold up its first drawing."""
    if time.monotonic() - drawn < LOOK_AGAIN / 2:
        return
    with suppress(DatabaseUnavailable):
        context.services().database.ping()
        st.session_state["away"] = False
        st.rerun()
