"""What a run was given, and what became of it: parameters, files, versions, attempts, history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from services import params, repeating
from services.errors import RundeskError
from services.models import Attempt, Run
from services.views import RunView
from ui import desk
from ui.look import LOOKS, amount, clock, plain, size


def draw(view: RunView) -> None:
    run = view.run
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Parameters", anchor=False)
        _rows(_parameters(run), "parameters", {"Parameter": 220})
        if again := repeating.commands(desk.services().settings, run):
            st.subheader("At a terminal", anchor=False)
            st.caption("The same once more on this desk's host, without the desk:")
            st.code(again, language="bash", wrap_lines=True)
    with right:
        st.subheader("Version", anchor=False)
        _version(run)
        st.subheader("Input files", anchor=False)
        _inputs(run)
        st.subheader("Attempts", anchor=False)
        _attempts(run.attempts)
        st.subheader("History", anchor=False)
        _history(run)


def _parameters(run: Run) -> list[dict[str, str]]:
    """Parameters under their titles, files by their names."""
    try:
        workflow = desk.services().workflows.get(desk.actor(), run.workflow)
        fields: Mapping[str, Any] = params.flatten(workflow.params_schema)["properties"]
    except RundeskError:  # the workflow is gone: the names will do
        fields = {}
    files = {entry.file: entry.name for entry in run.inputs}
    return [
        {
            "Parameter": str(fields.get(name, {}).get("title", name)),
            "Value": _value(value, files),
        }
        for name, value in run.params.items()
    ]


def _value(value: Any, files: Mapping[str, str]) -> str:
    if isinstance(value, list):
        return ", ".join(_value(item, files) for item in value)
    if isinstance(value, str):
        return files.get(value, value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else json.dumps(value)


def _version(run: Run) -> None:
    rows = {
        "Workflow": f"{run.workflow_title} ({run.workflow})",
        "Version": run.workflow_version or "–",
        "Digest": run.digest,
        "Cores": str(run.cores),
        "Run": run.id,
    }
    _rows([{"": name, "Value": value} for name, value in rows.items()], "version", {"": 110})


def _inputs(run: Run) -> None:
    if not run.inputs:
        st.caption("None.")
        return
    rows = [
        {
            "Parameter": entry.field,
            "File": entry.name,
            "Size": size(entry.size),
            "sha256": entry.sha256,
        }
        for entry in run.inputs
    ]
    _rows(rows, "inputs", {"Parameter": 120, "File": 240, "Size": 80})


def _attempts(attempts: Sequence[Attempt]) -> None:
    if not attempts:
        st.caption("None yet.")
        return
    rows = [
        {
            "No.": str(attempt.number),
            "Host": attempt.host,
            "Started": desk.local(attempt.started),
            "Took": clock((attempt.ended - attempt.started).total_seconds())
            if attempt.ended
            else "–",
            "Exit": "–" if attempt.exit_code is None else str(attempt.exit_code),
            "Cause": attempt.cause.message if attempt.cause else "",
        }
        for attempt in attempts
    ]
    _rows(rows, "attempts", {"No.": 45, "Exit": 50})


def _history(run: Run) -> None:
    for change in run.history:
        look = LOOKS[change.state]
        note = f"  ·  {plain(change.note)}" if change.note else ""
        st.markdown(
            f":{look.color}[:material/{look.icon}:] {look.word}"
            f" :gray[{plain(desk.local(change.at))}{note}]"
        )
    if len(run.attempts) > 1:
        st.caption(f"{amount(len(run.attempts), 'attempt')}.")


def _rows(rows: Sequence[Mapping[str, str]], key: str, widths: Mapping[str, int]) -> None:
    columns = {name: st.column_config.TextColumn(width=width) for name, width in widths.items()}
    st.dataframe(
        pd.DataFrame(rows, dtype=str),
        key=key,
        hide_index=True,
        height="content",
        row_height=32,
        column_config=columns,
    )
