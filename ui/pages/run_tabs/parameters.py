"""The parameters, sample sheets, input files and versions of a run, and how to reproduce it."""

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
from ui.formatting import amount, draw_rows, plain, size


def draw(view: RunView) -> None:
    """Draw the parameters, versions and input files of a run."""
    run, titles = view.run, _titles(view.run)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Parameters", anchor=False)
        draw_rows(_parameters(run, titles), "parameters", {"Parameter": 220})
        for name, rows in _tables(run):
            st.markdown(f"**{plain(titles.get(name, name))}**")
            draw_rows(rows, f"table-{name}", {})
        if commands := shell_commands.commands(context.services().settings, run):
            st.subheader("Reproduce on the command line", anchor=False)
            st.caption("Run these commands on the server to repeat the run without Rundesk:")
            st.code(commands, language="bash", wrap_lines=True)
    with right:
        st.subheader("Version", anchor=False)
        _version(run)
        st.subheader("Input files", anchor=False)
        _inputs(run)


def _titles(run: Run) -> dict[str, str]:
    """Return the titles of the parameters by name; empty if the workflow was removed."""
    try:
        workflow = context.services().workflows.get(context.actor(), run.workflow)
    except RundeskError:
        return {}
    fields = flatten(workflow.params_schema, run.params)["properties"]
    return {name: str(field.get("title", name)) for name, field in fields.items()}


def _parameters(run: Run, titles: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the titles and values of the parameters as rows; files are shown by name."""
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
    """Return whether a parameter has rows: a sample sheet, or an array of objects."""
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _tables(run: Run) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield the name and the rows of each parameter that is a table; files are shown by name."""
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
    draw_rows([{"": name, "Value": value} for name, value in rows.items()], "version", {"": 110})


def _inputs(run: Run) -> None:
    if not run.inputs:
        st.caption("This run has no input files.")
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
    draw_rows(rows, "inputs", {"Parameter": 120, "File": 240, "Size": 80})
