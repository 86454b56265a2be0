"""Submits runs from a page; a double click submits one run."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, TypeVar

import streamlit as st
from pydantic import BaseModel, ValidationError

from services.errors import Invalid, Message, Problem, RundeskError, Text
from services.models import Run, RunRequest, Workflow
from ui import context, errors

M = TypeVar("M", bound=BaseModel)
INVALID_FORM = Message("invalid_request", "The form has problems.")
TOO_LONG = Message(
    "wrong_length", "Must have at most {count} characters.", one="Must have at most 1 character."
)
TOO_SHORT = Message(
    "wrong_length", "Must have at least {count} characters.", one="Must have at least 1 character."
)
INVALID_FIELD = Message("invalid", "{reason}.")  # the reason is a sentence of pydantic


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
        raise Invalid(INVALID_FORM(), problems=_problems(error)) from error


def _problems(error: ValidationError) -> list[Problem]:
    return [
        Problem(
            ".".join(map(str, detail["loc"])),
            _text(detail["type"], detail["msg"], detail.get("ctx", {})),
        )
        for detail in error.errors()
    ]


def _text(kind: str, reason: str, limits: Mapping[str, Any]) -> Text:
    """Return the message for a type of error of pydantic."""
    if kind == "string_too_long":
        return TOO_LONG(count=limits["max_length"])
    if kind == "string_too_short":
        return TOO_SHORT(count=limits["min_length"])
    return INVALID_FIELD(reason=reason)
