"""Compares what the browser shows with what the server received.

`assets/typed.js` sends what the fields show together with a click on a button that submits the
form. A run starts only if both agree.
"""

from __future__ import annotations

import json
import re
from typing import Any

import streamlit as st

from services.errors import Message, Problem, Text
from ui.forms.form_values import Form
from ui.forms.sheet_sources import PASTED, UPLOADED, Table

KEY = "shown"  # of the hidden field in which the browser sends what it shows

NOT_RECEIVED = Message(
    "not_received",
    "The page shows {shown}, but the server received {received}.",
    hint="Check the value, then try again.",
)
PASTED_ROWS = Message(
    "not_received",
    "The pasted rows are not in the table yet.",
    hint="Press “Use these rows”, or empty the field with the pasted rows.",
)
UPLOADING = Message(
    "not_received",
    "{files} are still being uploaded.",
    one="{files} is still being uploaded.",
    hint="Wait until the upload has finished, or remove it.",
)


def draw() -> None:
    """Draw the hidden field; call this before the buttons that submit the form."""
    st.text_input("Values on the page", key=KEY, label_visibility="collapsed")


def differences(form: Form) -> list[Problem]:
    """Return a problem for each field whose value on the page differs from the received one.

    Pasted rows that are not in their table and files that are still being uploaded differ, too.
    """
    sent = _sent()
    problems = []
    for key, path in form.keys.items():
        if text := _pending(key, sent) or _difference(key, form, sent):
            problems.append(Problem(path if key.startswith("run-") else f"params.{path}", text))
    return problems


def _pending(key: str, sent: dict[str, Any]) -> Text | None:
    """Return what a user has put on the page for a field that is not its value yet."""
    files = [
        file for box in UPLOADED for file in _texts(sent.get(css_class(f"upload-{key}{box}"), []))
    ]
    if files:
        return UPLOADING(files=", ".join(files), count=len(files))
    pasted = f"{key}{PASTED}"
    texts = {st.session_state.get(pasted, ""), str(sent.get(css_class(pasted), ""))}
    table: Table | None = st.session_state.get(f"{key}:table")
    if any(
        text.strip() and not (table and table.has_pasted(text, st.session_state[key]))
        for text in texts
    ):
        return PASTED_ROWS()
    return None


def _difference(key: str, form: Form, sent: dict[str, Any]) -> Text | None:
    name = css_class(key)
    if key not in form.shown or name not in sent or _same(sent[name], form.shown[key]):
        return None
    return NOT_RECEIVED(shown=_quoted(sent[name]), received=_quoted(form.shown[key]))


def css_class(key: str) -> str:
    """Return the CSS class that Streamlit gives to the element with a key."""
    return f"st-key-{re.sub(r'[^a-zA-Z0-9_-]', '-', key.strip())}"


def _sent() -> dict[str, Any]:
    """Return what the browser sent: CSS class of a field → what it shows."""
    try:
        sent = json.loads(st.session_state.get(KEY) or "{}")
    except json.JSONDecodeError:
        return {}
    return sent if isinstance(sent, dict) else {}


def _same(shown: Any, received: Any) -> bool:
    if isinstance(received, bool) or isinstance(shown, bool):
        return shown is received
    return _texts(shown) == _texts(received)


def _texts(value: Any) -> list[str]:
    """Return one or several texts without differences in white space; empty ones are left out."""
    texts = value if isinstance(value, list) else [value]
    return [text for one in texts if (text := " ".join(str(one).split()))]


def _quoted(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(f"“{text}”" for text in _texts(value)) or "nothing"
