"""Compares what the browser shows with what the server received.

`assets/typed.js` sends what the fields show together with a click on a button that submits the
form. A run starts only if both agree.
"""

from __future__ import annotations

import json
import re
from typing import Any

import streamlit as st

from services.errors import Message, Problem
from ui.forms.schema_form import Form

KEY = "shown"  # of the hidden field in which the browser sends what it shows

NOT_RECEIVED = Message(
    "not_received",
    "The page shows {shown}, but the server received {received}.",
    hint="Check the value, then try again.",
)


def draw() -> None:
    """Draw the hidden field; call this before the buttons that submit the form."""
    st.text_input("Values on the page", key=KEY, label_visibility="collapsed")


def differences(form: Form) -> list[Problem]:
    """Return a problem for each field whose value on the page differs from the received one."""
    sent = _sent()
    problems = []
    for key, path in form.keys.items():
        name = css_class(key)
        if key in form.shown and name in sent and not _same(sent[name], form.shown[key]):
            text = NOT_RECEIVED(shown=_quoted(sent[name]), received=_quoted(form.shown[key]))
            problems.append(Problem(path if key.startswith("run-") else f"params.{path}", text))
    return problems


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
