"""Submits runs from a page; a double click submits one run."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, TypeVar

import streamlit as st
from pydantic import BaseModel, ValidationError

from services.errors import Invalid, Message, Problem, RundeskError
from services.models import Run, RunRequest, Workflow
from services.params import model_errors
from ui import context, errors

M = TypeVar("M", bound=BaseModel)
INVALID_FORM = Message("invalid_request", "The form has problems.")


def submit(**fields: Any) -> Run:
    """Submit the fields of a RunRequest. Raises Invalid, and what `runs.submit` raises.

    The idempotency key consists of the visit to the form and its values: the same values give the
    same run, changed values give another run.
    """
    request = validated(RunRequest, **fields)
    visit = st.session_state.setdefault("visit", secrets.token_hex(8))
    body = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
    run = context.services().runs.submit(
        context.actor(), request, idempotency_key=f"portal-{visit}-{body[:32]}"
    )
    context.services().views.forget()
    return run


def end_visit() -> None:
    """Make the next submission a new run, even with the same values."""
    st.session_state.pop("visit", None)


def example_button(workflow: Workflow, place: str, *, primary: bool = False) -> None:
    """Draw a button that runs the example of a workflow, and opens that run."""
    if workflow.example is None or not workflow.available:
        return
    clicked = context.button(
        "Run the example",
        key=f"example-{place}-{workflow.name}",
        icon=":material/science:",
        type="primary" if primary else "secondary",
    )
    if not clicked:
        return
    try:
        run = submit(workflow=workflow.name, example=True)
    except RundeskError as error:
        errors.show(error)
    else:
        context.go("run", id=run.id)


def validated(model: type[M], **fields: Any) -> M:
    """Return the fields of a form as a model. Raises Invalid with the problem of each field."""
    try:
        return model(**fields)
    except ValidationError as error:
        problems = [
            Problem(".".join(map(str, details["loc"])), model_errors.text_of(details))
            for details in error.errors(include_url=False)
        ]
        raise Invalid(INVALID_FORM(), problems=problems) from error
