"""Keeps the filled form of a new run as a draft of the user, and restores it."""

from __future__ import annotations

import json
from datetime import datetime

import streamlit as st

from services.errors import RundeskError, TooLarge
from services.models import Draft, Workflow
from ui import context
from ui.formatting import plain
from ui.forms import form_state

RESTORED, SAVED = "draft-restored", "draft-saved"  # in the session: the restored draft, its content


def restore(workflow: Workflow, source: str) -> None:
    """Start a new form with the draft of the user, if there is one for the same `source`.

    `source` is the id of the run whose values the form starts with; a form without one takes any
    draft.
    """
    st.session_state.pop(SAVED, None)
    st.session_state.pop(RESTORED, None)
    draft = context.services().drafts.get(context.actor(), workflow.name)
    if draft is None or source not in ("", draft.content.get("source")):
        return
    values = draft.content.get("typed")
    if isinstance(values, dict) and values:
        st.session_state["typed"] = values
        st.session_state[RESTORED] = draft


def keep(workflow: Workflow, source: str) -> None:
    """Save the form as a draft if it has changed since it was drawn first or saved last."""
    content = {"typed": st.session_state.get("typed", {}), "source": source}
    text = json.dumps(content, sort_keys=True, default=str)
    if SAVED not in st.session_state:  # drawn for the first time: nothing was typed yet
        st.session_state[SAVED] = text
    if text == st.session_state[SAVED] or not context.may_change():
        return
    try:
        context.services().drafts.save(
            context.actor(), workflow.name, content, digest=workflow.digest
        )
    except TooLarge as error:
        st.caption(plain(error.message))
    st.session_state[SAVED] = text


def show_notice(workflow: Workflow) -> None:
    """Say that a draft was restored, with a button to start over."""
    draft: Draft | None = st.session_state.get(RESTORED)
    if draft is None:
        return
    text = f"Draft of {_when(draft.saved)} restored."
    if draft.digest != workflow.digest:
        text += " The workflow has changed since; check the values."
    with st.container(horizontal=True, vertical_alignment="center", key="draft"):
        st.markdown(f":material/edit_note: {plain(text)}", width="content")
        st.button(
            "Start over",
            key="start-over",
            type="tertiary",
            icon=":material/restart_alt:",
            help="Discards the draft and shows the form with its default values.",
            on_click=_start_over,
            args=(workflow.name,),
        )


def discard(workflow: str) -> None:
    """Delete the draft of a form that was submitted or is started over."""
    st.session_state.pop(SAVED, None)
    st.session_state.pop(RESTORED, None)
    context.services().drafts.discard(context.actor(), workflow)


def _start_over(workflow: str) -> None:
    try:
        discard(workflow)
    except RundeskError as error:
        context.flash(plain(error.message))
        return
    form_state.forget()
    st.session_state["problems"] = []


def _when(time: datetime) -> str:
    """Return a time in the time zone of the browser: "14:02", or with its date if it is past."""
    local, now = context.in_browser_zone(time), context.in_browser_zone(datetime.now(time.tzinfo))
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%d %b %Y, %H:%M}"
