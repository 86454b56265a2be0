"""Submitting a run from the page, so that a double click gives one run."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, TypeVar

import streamlit as st
from pydantic import BaseModel, ValidationError

from services.errors import Invalid, Problem, RundeskError
from services.models import Run, RunRequest, Workflow
from ui import context, errors

M = TypeVar("M", bound=BaseModel)


def submit(**fields: Any) -> Run:
    """Submit what a form holds (the fields of a RunRequest). Raises what `runs.submit` raises.

    The idempotency key is the visit to the form and what it holds: the same again is the same run,
    anything changed is another one.
    """
    request = fitted(RunRequest, **fields)
    visit = st.session_state.setdefault("visit", secrets.token_hex(8))
    body = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
    run = context.services().runs.submit(
        context.actor(), request, idempotency_key=f"portal-{visit}-{body[:32]}"
    )
    context.services().views.forget()
    return run


def settle() -> None:
    """The run is open: what is submitted from now on is meant to be another one."""
    st.session_state.pop("visit", None)


def example_button(workflow: Workflow, place: str, *, primary: bool = False) -> None:
    """A button that runs the workflow's own example and opens that run."""
    if workflow.example is None or not workflow.available:
        return
    clicked = context.button(
        "Try it with example data",
        key=f"example-{place}-{workflow.name}",
        icon=":material/science:",
        type="primary" if primary else "secondary",
    )
    if not clicked:
        return
    try:
        run = submit(workflow=workflow.name, example=True)
    except RundeskError as error:
        errors.tell(error)
    else:
        context.go("run", id=run.id)


def fitted(kind: type[M], **fields: Any) -> M:
    """Fields of a form as what a service takes. Raises Invalid with the problem of each."""
    try:
        return kind(**fields)
    except ValidationError as error:
        raise Invalid("The form has errors.", problems=_problems(error)) from error


def _problems(error: ValidationError) -> list[Problem]:
    return [
        Problem(".".join(map(str, found["loc"])), f"{found['msg']}.") for found in error.errors()
    ]
