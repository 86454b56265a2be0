"""The workflows: a list, and a page for each with its parameters, requirements and runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from services.models import Need, Run, RunFilter, Workflow
from services.params import conditions
from services.params.schema import flatten, groups, is_file
from ui import context, errors
from ui.formatting import (
    amount,
    chip,
    chip_column,
    duration,
    elapsed,
    estimate,
    plain,
    table,
    title,
)
from ui.forms import widgets
from ui.parts import keyboard_list, plan, readme, submission, workflow_cards

MAX_LATEST_RUNS = 8
TABLE_KEY = "workflows"


def page() -> None:
    if name := st.query_params.get("name"):
        _details(context.services().workflows.get(context.actor(), name))
    else:
        _list(context.services().workflows.list(context.actor()))


# ---- the list ---------------------------------------------------------------------------------


def _list(workflows: Sequence[Workflow]) -> None:
    cells = st.session_state.get(TABLE_KEY, {}).get("selection", {}).get("cells", [])
    drawn = st.session_state.get(f"{TABLE_KEY}-drawn") or [one.name for one in workflows]
    if cells and cells[0][0] < len(drawn):
        context.go("workflows", name=drawn[cells[0][0]])
    st.title("Workflows", anchor=False)
    if not workflows:
        st.info(workflow_cards.NO_WORKFLOWS)
        return
    workflows = workflow_cards.choose(workflows, "list")
    st.session_state[f"{TABLE_KEY}-drawn"] = [workflow.name for workflow in workflows]
    if not workflows:
        return
    st.dataframe(
        table([_row(workflow) for workflow in workflows]),
        key=TABLE_KEY,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-cell",
        height="content",
        row_height=38,
        alt="Workflows",
        column_config={
            "Workflow": st.column_config.TextColumn(width=200),
            "Status": st.column_config.MultiselectColumn(
                width=120, options=["Ready", "Not available"], color=["green", "orange"]
            ),
            "Description": st.column_config.TextColumn(width=420),
            "Category": st.column_config.TextColumn(width=120),
            "Version": st.column_config.TextColumn(width=90),
            "Usual time": st.column_config.TextColumn(width=110),
        },
    )
    st.caption(f"{amount(len(workflows), 'workflow')}. Click a workflow to see its details.")
    titles = {workflow.name: workflow.title for workflow in workflows}
    if name := keyboard_list.draw("Show a workflow", titles, TABLE_KEY):
        context.go("workflows", name=name)


def _row(workflow: Workflow) -> dict[str, Any]:
    return {
        "Workflow": workflow.title,
        "Status": ["Ready" if workflow.available else "Not available"],
        "Description": workflow.summary,
        "Category": workflow.category,
        "Version": workflow.version or workflow.digest[:12],
        "Usual time": duration(context.services().installation.usual_seconds(workflow.name)),
    }


# ---- a workflow ------------------------------------------------------------------------------


def _details(workflow: Workflow) -> None:
    if st.button("All workflows", key="back", icon=":material/arrow_back:", type="tertiary"):
        context.go("workflows")
    st.set_page_config(page_title=f"{workflow.title} · Rundesk")
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.title(plain(workflow.title), anchor=False, width="content")
        st.space("stretch")
        if workflow.available:
            submission.example_button(workflow, "about")
            if context.button("New run", key="new-run", icon=":material/add:", type="primary"):
                context.go("new", workflow=workflow.name)
    st.caption(plain(workflow.summary))
    for problem in workflow.problems:
        st.error(plain(problem), icon=":material/block:")
    left, right = st.columns([2, 1], gap="large")
    with left:
        tabs = st.tabs(list(TABS), key="about", on_change="rerun", bind="query-params")
        for tab, draw in zip(tabs, TABS.values(), strict=True):
            if tab.open:
                with tab, errors.shown_errors():
                    draw(workflow)
    with right:
        _facts(workflow)
        _requirements(workflow.needs)
        _latest(workflow)


def _readme(workflow: Workflow) -> None:
    if workflow.readme.strip():
        st.markdown(readme.as_page(workflow.readme), anchors=False)
    else:
        st.caption("This workflow has no README.")


def _steps(workflow: Workflow) -> None:
    """Draw the steps of a run of the example, or of the default parameters without one."""
    if not workflow.available:
        st.caption("The steps are shown once the workflow is available on this server.")
        return
    with st.spinner(plan.PLANNING):
        preview = context.services().previews.graph(context.actor(), workflow.name)
    plan.draw(preview)
    if preview.rules:
        st.caption(
            "Planned with the example data."
            if workflow.example
            else "Planned with the default parameters."
        )


def _parameters(workflow: Workflow) -> None:
    with st.container(key="parameter-tables"):
        _parameter_tables(workflow)


def _parameter_tables(workflow: Workflow) -> None:
    parts = groups(workflow.params_schema)
    if not any(group.fields for group in parts):
        st.caption("This workflow has no parameters.")
    for group in parts:
        if not group.fields:
            continue
        if group.title:
            st.markdown(f"**{plain(group.title)}**")
        _table(group.fields, group.required)
    if dependent := conditions.possible(flatten(workflow.params_schema)):
        st.markdown("**Parameters that depend on other parameters**")
        _table(dependent, frozenset())


def _table(fields: Mapping[str, Mapping[str, Any]], required: frozenset[str]) -> None:
    rows = [_parameter(name, field, name in required) for name, field in fields.items()]
    st.table(pd.DataFrame(rows).set_index("Parameter"))


TABS = {"Description": _readme, "Steps": _steps, "Parameters": _parameters}


def _parameter(name: str, field: Mapping[str, Any], required: bool) -> dict[str, str]:
    default = field.get("default")
    return {
        "Parameter": f"{plain(str(field.get('title', name)))}  \n:small[{plain(name)}]",
        "Type": plain(_type(field)),
        "Default": "required" if required and default is None else plain(_text(default)),
        "Description": plain(widgets.help_of(field)),
    }


def _type(field: Mapping[str, Any]) -> str:
    """Return the type of a parameter with its unit: "integer (reads)"."""
    if is_file(dict(field)):
        return "file"
    if is_file(field.get("items") or {}):
        return "files"
    if "enum" in field:
        return "one of " + ", ".join(map(_text, field["enum"]))
    kind = widgets.kind_of(field)
    word = {"boolean": "yes/no", "string": "text", "array": "list"}.get(kind, kind)
    unit = widgets.unit_of(field)
    return f"{word} ({unit})" if unit else word


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value)


def _facts(workflow: Workflow) -> None:
    usual = context.services().installation.usual_seconds(workflow.name)
    facts = {
        "Input": workflow.takes,
        "Output": workflow.gives,
        "Usual time": estimate(usual) if usual is not None else "unknown",
        "Version": workflow.version or "–",
        "License": workflow.license,
        "Digest": workflow.digest[:16],
    }
    with st.container(border=True, gap="xsmall", key="facts"):
        for name, value in facts.items():
            if value:
                st.markdown(f":gray[{name}] {plain(value)}")


def _requirements(needs: Sequence[Need]) -> None:
    if not needs:
        return
    st.subheader("Requirements", anchor=False)
    for need in needs:
        mark = ":green[:material/check_circle:]" if need.met else ":red[:material/cancel:]"
        status = "" if need.met else "  ·  not installed"
        st.markdown(f"{mark} {plain(need.name)} :gray[{need.kind}{status}]")


def _latest(workflow: Workflow) -> None:
    st.subheader("Latest runs", anchor=False)
    filters = RunFilter(workflow=workflow.name, limit=MAX_LATEST_RUNS)
    runs = errors.latest(
        f"latest {workflow.name}", lambda: context.services().views.board(context.actor(), filters)
    ).page.items
    if not runs:
        st.caption("No runs yet.")
        return
    _open_chosen(runs)
    now = datetime.now(UTC)
    st.dataframe(
        table([_run(run, now) for run in runs]),
        key="latest",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-cell",
        height="content",
        row_height=36,
        alt="Latest runs of this workflow",
        column_config={
            "State": chip_column(width=100),
            "Name": st.column_config.TextColumn(width=150),
            "Time": st.column_config.TextColumn(width=90),
        },
    )
    _draw_list(runs)


def _draw_list(runs: Sequence[Run]) -> None:
    """Draw the runs as a list for the keyboard."""
    labels = {run.id: f"{title(run)}, {', '.join(chip(run.state))}" for run in runs}
    if run_id := keyboard_list.draw("Open a run", labels, "latest"):
        context.go("run", id=run_id)


def _run(run: Run, now: datetime) -> dict[str, Any]:
    return {"State": chip(run.state), "Name": title(run), "Time": duration(elapsed(run, now))}


def _open_chosen(runs: Sequence[Run]) -> None:
    """Open the run that was drawn in the clicked row, even if the rows have changed since."""
    drawn = st.session_state.get("latest-drawn", [])
    st.session_state["latest-drawn"] = [run.id for run in runs]
    cells = st.session_state.get("latest", {}).get("selection", {}).get("cells", [])
    if cells and cells[0][0] < len(drawn):
        context.go("run", id=drawn[cells[0][0]])
