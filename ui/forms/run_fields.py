"""The fields of a new run that every workflow has: name, tags, retries, priority."""

from __future__ import annotations

from typing import Any

import streamlit as st

from services.models import Run
from ui import context
from ui.forms import form_state, widgets
from ui.forms.form_values import Form

NAME, TAGS, RETRIES, PRIORITY = "run-name", "run-tags", "run-retries", "run-priority"  # keys


def draw(run: Run | None, form: Form, *, unfold: bool) -> dict[str, Any]:
    """Draw the fields, filled in from `run`; return their values as fields of a RunRequest."""
    st.subheader("Name and tags", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        name = _name(run, form)
    with right:
        tags = _tags(run, form)
    with st.expander("Run options", expanded=unfold, icon=":material/tune:", key="more-of-run"):
        left, right = st.columns(2, gap="medium")
        with left:
            retries = _retries(run, form)
        with right:
            priority = _priority(run, form)
    return {"name": name, "tags": tags, "retries": retries, "priority": priority}


def _name(run: Run | None, form: Form) -> str:
    name: str = st.text_input(
        "Name",
        form_state.restore(NAME, run.name if run else ""),
        key=NAME,
        placeholder="Purpose of this run",
        live=form_state.TYPING_PAUSE,
    )
    _finish("name", "Name", NAME, name, form)
    return name


def _tags(run: Run | None, form: Form) -> list[str]:
    initial = form_state.restore(TAGS, list(run.tags) if run else [])
    tags = st.multiselect(
        "Tags",
        options=initial,
        default=initial,
        key=TAGS,
        accept_new_options=True,
        placeholder="Type a tag, then press Enter",
    )
    _finish("tags", "Tags", TAGS, list(tags), form)
    return tags


def _retries(run: Run | None, form: Form) -> Any:
    common = {
        "label": "Retries",
        "key": RETRIES,
        "help": "How often Rundesk restarts the run by itself after a job has failed.",
    }
    drawn = widgets.number(run.retries if run else 0, "integer", "integer", common)
    _finish("retries", "Retries", RETRIES, drawn.shown, form)
    return drawn.value


def _priority(run: Run | None, form: Form) -> Any:
    admin = context.actor().admin
    note = "" if admin else " Only administrators can set a priority above 0."
    common = {
        "label": "Priority",
        "key": PRIORITY,
        "help": f"Runs with a higher priority start first.{note}",
    }
    initial = run.priority if run else 0
    drawn = widgets.number(initial if admin else min(initial, 0), "integer", "integer", common)
    _finish("priority", "Priority", PRIORITY, drawn.shown, form)
    return drawn.value


def _finish(name: str, label: str, key: str, shown: Any, form: Form) -> None:
    """Keep the value of a field that was drawn, and add a container for its problems."""
    form_state.keep(key)
    form.keys[key], form.shown[key] = name, shown
    form.slots[name] = st.container(key=f"problems-{name}")
    form.labels[name] = label
