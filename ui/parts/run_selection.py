"""Several runs of the list, and what can be done with all of them at once."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from services.models import Run, State
from ui import context
from ui.formatting import amount
from ui.parts import run_actions

TABLE = "runs"  # key of the list
NOTHING = {"selection": {"rows": [], "columns": [], "cells": []}}


def picked() -> list[Run]:
    """The runs whose rows are marked, as they were drawn there."""
    rows = st.session_state.get(TABLE, NOTHING)["selection"].get("rows", [])
    drawn: list[Run] = st.session_state.get("drawn", [])
    return [drawn[row] for row in rows if row < len(drawn)]


def steady(runs: Sequence[Run]) -> list[Run]:
    """The runs to draw: while some are marked each stays in its row, whatever came in since."""
    if picked():
        fresh = {run.id: run for run in runs}
        runs = [fresh.get(run.id, run) for run in st.session_state["drawn"]]
    st.session_state["drawn"] = list(runs)
    return list(runs)


def clear() -> None:
    """Unmark all; for a callback, before the list is drawn again."""
    if TABLE in st.session_state:
        st.session_state[TABLE] = NOTHING


def bar() -> None:
    """What can be done with the marked runs."""
    runs = picked()
    live = [run for run in runs if not run.state.final]
    over = [run for run in runs if run.state.final]
    done = [run.id for run in runs if run.state is State.COMPLETE]
    with st.container(
        horizontal=True, vertical_alignment="center", border=True, gap="small", key="picked"
    ):
        st.markdown(f"**{amount(len(runs), 'run')} selected**", width="content")
        st.space("stretch")
        if context.button(
            "Cancel", key="pick-cancel", icon=":material/stop_circle:", disabled=not live
        ):
            _confirm_cancel(live, len(over))
        st.link_button(
            "Download results",
            context.link("/api/v1/results.zip", run=",".join(done)) if done else "",
            icon=":material/download:",
            disabled=not done,
            key="pick-download",
        )
        if context.button("Delete", key="pick-delete", icon=":material/delete:", disabled=not over):
            _confirm_delete(over, len(live))
        st.button(
            "Clear selection",
            key="pick-clear",
            icon=":material/close:",
            type="tertiary",
            on_click=clear,
        )


@st.dialog("Cancel the selected runs?", icon=":material/stop_circle:")
def _confirm_cancel(runs: Sequence[Run], others: int) -> None:
    st.markdown(f"{_these(runs)} stopped, and can be resumed:\n{run_actions.names(runs)}")
    if others:
        st.caption(f"{amount(others, 'other')} of the selection {_are(others)} over already.")
    yes = f"Cancel {amount(len(runs), 'run')}"
    if run_actions.choice(yes, "all-cancel", "Keep them", on_click=_cancel, args=(runs,)):
        st.rerun()


@st.dialog("Delete the selected runs?", icon=":material/delete:")
def _confirm_delete(runs: Sequence[Run], others: int) -> None:
    st.markdown(
        f"{_these(runs)} gone for good, with results and logs:\n{run_actions.names(runs)}\n\n"
        "Files that were uploaded for them stay."
    )
    if others:
        stay = "is not over and stays" if others == 1 else "are not over and stay"
        st.caption(f"{amount(others, 'other')} of the selection {stay}.")
    yes = f"Delete {amount(len(runs), 'run')}"
    if run_actions.choice(yes, "all-delete", "Keep them", on_click=_delete, args=(runs,)):
        st.rerun()


def _cancel(runs: Sequence[Run]) -> None:
    run_actions.act_on_all(context.services().runs.cancel, runs, "canceled")
    clear()


def _delete(runs: Sequence[Run]) -> None:
    run_actions.act_on_all(context.services().runs.delete, runs, "deleted")
    clear()


def _these(runs: Sequence[Run]) -> str:
    return "This run will be" if len(runs) == 1 else f"These {len(runs)} runs will be"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
