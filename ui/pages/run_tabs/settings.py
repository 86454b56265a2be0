"""What a run was given: parameters, sample sheets, files, versions; and how to repeat it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import streamlit as st

from services.errors import RundeskError
from services.models import Run
from services.params.schema import flatten
from services.runs import shell_commands
from services.runs.views import RunView
from ui import context
from ui.formatting import amount, plain, rows_table, size


def draw(view: RunView) -> None:
    run, titles = view.run, _titles(view.run)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Parameters", anchor=False)
        rows_table(_parameters(run, titles), "parameters", {"Parameter": 220})
        for name, rows in _tables(run):
            st.markdown(f"**{plain(titles.get(name, name))}**")
            rows_table(rows, f"table-{name}", {})
        if again := shell_commands.commands(context.services().settings, run):
            st.subheader("At a terminal", anchor=False)
            st.caption("The same once more on this desk's host, without the desk:")
            st.code(again, language="bash", wrap_lines=True)
    with right:
        st.subheader("Version", anchor=False)
        _version(run)
        st.subheader("Input files", anchor=False)
        _inputs(run)


def _titles(run: Run) -> dict[str, str]:
    """What the parameters are called."""
    try:
        workflow = context.services().workflows.get(context.actor(), run.workflow)
    except RundeskError:  # the workflow is gone: the names will do
        return {}
    fields = flatten(workflow.params_schema, run.params)["properties"]
    return {name: str(field.get("title", name)) for name, field in fields.items()}


def _parameters(run: Run, titles: Mapping[str, str]) -> list[dict[str, str]]:
    """Parameters under their titles, files by their names."""
    files = {entry.file: entry.name for entry in run.inputs}
    return [
        {"Parameter": titles.get(name, name), "Value": _value(value, files)}
        for name, value in run.params.items()
    ]


def _value(value: Any, files: Mapping[str, str]) -> str:
    if _is_table(value):
        return amount(len(value), "row")
    if isinstance(value, list):
        return ", ".join(_value(item, files) for item in value) or "–"
    if isinstance(value, str):
        return files.get(value, value) or "–"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else json.dumps(value)


def _is_table(value: Any) -> bool:
    """Whether a parameter is rows: a sample sheet, or an array of objects."""
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _tables(run: Run) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Name and rows of each parameter that is a table, files by their names."""
    files = {entry.file: entry.name for entry in run.inputs}
    for name, value in run.params.items():
        if _is_table(value):
            columns = list(dict.fromkeys(column for row in value for column in row))
            yield (
                name,
                [{c: _value(row[c], files) if c in row else "" for c in columns} for row in value],
            )


def _version(run: Run) -> None:
    rows = {
        "Workflow": f"{run.workflow_title} ({run.workflow})",
        "Version": run.workflow_version or "–",
        "Digest": run.digest,
        "Cores": str(run.cores),
        "Run": run.id,
    }
    rows |= context.services().runs.software(context.actor(), run.id)
    rows_table([{"": name, "Value": value} for name, value in rows.items()], "version", {"": 110})


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
    rows_table(rows, "inputs", {"Parameter": 120, "File": 240, "Size": 80})
