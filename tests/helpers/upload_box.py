"""The uploader's box in an AppTest: what the browser would tell of it."""

from __future__ import annotations

import json
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest


def box(session: AppTest, key: str) -> Any:
    """The element of a box."""
    found = [
        node.proto
        for node in session._tree
        if getattr(node, "type", "") == "bidi_component" and node.proto.id.endswith(f"-{key}:box")
    ]
    (element,) = found
    return element


def data(session: AppTest, key: str) -> dict[str, Any]:
    """What the server tells the box."""
    element = box(session, key)
    return dict(json.loads(element.json or element.mixed.json))


def arrive(session: AppTest, key: str, *uploads: tuple[str, str]) -> AppTest:
    """The box tells all that has arrived: (key of the upload, id of the file)."""
    states = session._tree.get_widget_states()
    told = {"files": [{"key": one, "file": file} for one, file in uploads]}
    state = WidgetState(id=box(session, key).id, json_value=json.dumps(told))
    states.widgets.append(state)
    return session._run(states)
