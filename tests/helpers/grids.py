"""The one editable table of a page in an AppTest: what the browser would tell of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest


def grid(session: AppTest) -> Any:
    """The table's element; its id changes when its rows are replaced."""
    (found,) = [n for n in session._tree if getattr(n, "type", "") == "dataframe"]
    return found


def edit(
    session: AppTest,
    edited: Mapping[int, Any] | None = None,
    added: Sequence[Mapping[str, str]] = (),
    deleted: Sequence[int] = (),
) -> AppTest:
    """What the browser sends when cells are changed; rows are counted from 0."""
    told = {"edited_rows": edited or {}, "added_rows": list(added), "deleted_rows": list(deleted)}
    states = session._tree.get_widget_states()
    states.widgets.append(WidgetState(id=grid(session).proto.id, string_value=json.dumps(told)))
    return session._run(states)
