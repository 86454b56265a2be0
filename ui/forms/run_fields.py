"""The fields of a new run that are not its workflow's: what it is called, and how it is treated."""

from __future__ import annotations

from typing import Any

import streamlit as st

from services.models import MAX_PRIORITY, MAX_RETRIES, MIN_PRIORITY, Run
from ui import context
from ui.forms import form_state, schema_form

NAME, TAGS, RETRIES, PRIORITY = "run-name", "run-tags", "run-retries", "run-priority"  # keys


def draw(run: Run | None, form: schema_form.Form, *, unfold: bool) -> dict[str, Any]:
    """Draw them, beginning with those of `run`; fields of a RunRequest."""
    st.subheader("This run", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        name = _name(run, form)
    with right:
        tags = _tags(run, form)
    with st.expander("More", expanded=unfold, icon=":material/tune:", key="more-of-run"):
        left, right = st.columns(2, gap="medium")
        with left:
            retries = _retries(run, form)
        with right:
            priority = _priority(run, form)
    return {"name": name, "tags": tags, "retries": retries, "priority": priority}


def _name(run: Run | None, form: schema_form.Form) -> str:
    name = st.text_input(
        "Name",
        form_state.begin(NAME, run.name if run else ""),
        key=NAME,
        max_chars=200,
        placeholder="What is this run for?",
    )
    _end("name", "Name", NAME, form)
    return name


def _tags(run: Run | None, form: schema_form.Form) -> list[str]:
    begun = form_state.begin(TAGS, list(run.tags) if run else [])
    tags = st.multiselect(
        "Tags",
        options=begun,
        default=begun,
        key=TAGS,
        max_selections=20,
        accept_new_options=True,
        placeholder="Type a tag, then Enter",
    )
    _end("tags", "Tags", TAGS, form)
    return tags


def _retries(run: Run | None, form: schema_form.Form) -> int:
    retries = st.number_input(
        "Retries",
        value=form_state.begin(RETRIES, run.retries if run else 0),
        min_value=0,
        max_value=MAX_RETRIES,
        step=1,
        key=RETRIES,
        help="How often to start it again by itself when a job of the workflow failed.",
    )
    _end("retries", "Retries", RETRIES, form)
    return retries


def _priority(run: Run | None, form: schema_form.Form) -> int:
    admin = context.actor().admin
    highest = MAX_PRIORITY if admin else 0
    priority = st.number_input(
        "Priority",
        value=form_state.begin(PRIORITY, min(run.priority, highest) if run else 0),
        min_value=MIN_PRIORITY,
        max_value=highest,
        step=1,
        key=PRIORITY,
        help="Higher is served first."
        + ("" if admin else " Only an administrator may go above 0."),
    )
    _end("priority", "Priority", PRIORITY, form)
    return priority


def _end(name: str, label: str, key: str, form: schema_form.Form) -> None:
    """Remember what was typed, and leave a place for its errors."""
    form_state.keep(key)
    form.slots[name] = st.container(key=f"problems-{name}")
    form.labels[name] = label
