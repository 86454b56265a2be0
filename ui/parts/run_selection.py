"""The selected runs of the list, and the actions on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from services.models import Run, State
from ui import context
from ui.formatting import amount, plural
from ui.parts import run_actions

TABLE_KEY = "runs"  # of the list
NO_SELECTION: dict[str, Any] = {"selection": {"rows": [], "columns": [], "cells": []}}


def selected() -> list[Run]:
    """Return the selected runs, as they were last drawn."""
    rows = st.session_state.get(TABLE_KEY, NO_SELECTION)["selection"].get("rows", [])
    drawn: list[Run] = st.session_state.get("drawn", [])
    return [drawn[row] for row in rows if row < len(drawn)]


def pin(runs: Sequence[Run]) -> list[Run]:
    """Remember the runs that are drawn, and return them.

    While some are selected these are the runs of the last time, updated: each stays in its row.
    """
    if selected():
        fresh = {run.id: run for run in runs}
        runs = [fresh.get(run.id, run) for run in st.session_state["drawn"]]
    st.session_state["drawn"] = list(runs)
    return list(runs)


def clear() -> None:
    """Clear the selection. Call it from a callback, before the list is drawn again."""
    if TABLE_KEY in st.session_state:
        st.session_state[TABLE_KEY] = NO_SELECTION


def draw_bar() -> None:
    """Draw the number of selected runs and the actions on them."""
    runs = selected()
    live = [run for run in runs if not run.state.final]
    finished = [run for run in runs if run.state.final]
    complete = [run.id for run in runs if run.state is State.COMPLETE]
    with st.container(
        horizontal=True, vertical_alignment="center", border=True, gap="small", key="picked"
    ):
        st.markdown(f"**{amount(len(runs), 'run')} selected**", width="content")
        st.space("stretch")
        if context.button(
            "Cancel", key="pick-cancel", icon=":material/stop_circle:", disabled=not live
        ):
            _confirm_cancel(live, len(finished))
        st.link_button(
            "Download results",
            context.link("/api/v1/results.zip", run=",".join(complete)) if complete else "",
            icon=":material/download:",
            disabled=not complete,
            key="pick-download",
        )
        if context.button(
            "Delete", key="pick-delete", icon=":material/delete:", disabled=not finished
        ):
            _confirm_delete(finished, len(live))
        st.button(
            "Clear selection",
            key="pick-clear",
            icon=":material/close:",
            type="tertiary",
            on_click=clear,
        )


@st.dialog("Cancel the selected runs?", icon=":material/stop_circle:")
def _confirm_cancel(runs: Sequence[Run], others: int) -> None:
    question = plural(
        len(runs),
        "This run will be stopped. You can resume it later.",
        "These {count} runs will be stopped. You can resume them later.",
    )
    st.markdown(f"{question}\n{run_actions.names(runs)}")
    if others:
        st.caption(
            plural(
                others,
                "1 other selected run has already finished.",
                "{count} other selected runs have already finished.",
            )
        )
    yes = f"Cancel {amount(len(runs), 'run')}"
    if run_actions.choice(yes, "all-cancel", "Keep running", on_click=_cancel, args=(runs,)):
        st.rerun()


@st.dialog("Delete the selected runs?", icon=":material/delete:")
def _confirm_delete(runs: Sequence[Run], others: int) -> None:
    warning = plural(
        len(runs),
        "This permanently deletes 1 run with its results and logs. Uploaded files are kept.",
        "This permanently deletes {count} runs with their results and logs."
        " Uploaded files are kept.",
    )
    st.markdown(f"{warning}\n{run_actions.names(runs)}")
    if others:
        st.caption(
            plural(
                others,
                "1 other selected run has not finished and is kept.",
                "{count} other selected runs have not finished and are kept.",
            )
        )
    yes = f"Delete {amount(len(runs), 'run')}"
    if run_actions.choice(yes, "all-delete", on_click=_delete, args=(runs,)):
        st.rerun()


def _cancel(runs: Sequence[Run]) -> None:
    run_actions.act_on_all(context.services().runs.cancel, runs, run_actions.CANCELED)
    clear()


def _delete(runs: Sequence[Run]) -> None:
    run_actions.act_on_all(context.services().runs.delete, runs, run_actions.DELETED)
    clear()
