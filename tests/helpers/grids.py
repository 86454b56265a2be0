"""The editable table of a page in an AppTest, with the events that a browser sends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest


def grid(session: AppTest) -> Any:
    """Return the element of the table; its id changes when its rows are replaced."""
    (element,) = [n for n in session._tree if getattr(n, "type", "") == "dataframe"]
    return element


def edit(
    session: AppTest,
    edited: Mapping[int, Any] | None = None,
    added: Sequence[Mapping[str, str]] = (),
    deleted: Sequence[int] = (),
) -> AppTest:
    """Send the event of changed cells and rerun the page; rows are counted from 0."""
    event = {"edited_rows": edited or {}, "added_rows": list(added), "deleted_rows": list(deleted)}
    states = session._tree.get_widget_states()
    states.widgets.append(WidgetState(id=grid(session).proto.id, string_value=json.dumps(event)))
    return session._run(states)
