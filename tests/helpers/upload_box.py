"""The uploader of a page in an AppTest, with the events that a browser sends."""

from __future__ import annotations

import json
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest


def box(session: AppTest, key: str) -> Any:
    """Return the element of the uploader with this key."""
    elements = [
        node.proto
        for node in session._tree
        if getattr(node, "type", "") == "bidi_component" and node.proto.id.endswith(f"-{key}:box")
    ]
    (element,) = elements
    return element


def data(session: AppTest, key: str) -> dict[str, Any]:
    """Return the data that the server sends to the uploader."""
    element = box(session, key)
    return dict(json.loads(element.json or element.mixed.json))


def arrive(session: AppTest, key: str, *uploads: tuple[str, str]) -> AppTest:
    """Report finished uploads, (key of the upload, id of the file), and rerun the page."""
    states = session._tree.get_widget_states()
    event = {"files": [{"key": upload, "file": file} for upload, file in uploads]}
    state = WidgetState(id=box(session, key).id, json_value=json.dumps(event))
    states.widgets.append(state)
    return session._run(states)
