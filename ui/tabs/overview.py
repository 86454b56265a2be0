"""Steps, graph and timeline of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from services.models import Graph, Job, Run, Step
from ui import charts, desk, errors
from ui.look import amount, chip, chip_column, clock


def draw(run: Run) -> None:
    graph, jobs = errors.latest(f"overview {run.id}", lambda: _ask(run.id))
    if not graph.steps:
        _nothing_yet(run)
        return
    left, right = st.columns([5, 6], gap="large")
    with left:
        st.subheader("Steps", anchor=False)
        _steps(graph.steps)
    with right:
        st.subheader("Graph", anchor=False)
        with st.container(border=True, key="graph"):
            st.graphviz_chart(
                charts.dot(graph), width="content", alt="Steps and what they wait for"
            )
    if jobs and run.started:
        st.subheader("Timeline", anchor=False)
        _timeline(jobs, run.started)


def _ask(run_id: str) -> tuple[Graph, Sequence[Job]]:
    runs, actor = desk.services().runs, desk.actor()
    return runs.graph(actor, run_id), runs.jobs(actor, run_id)


def _nothing_yet(run: Run) -> None:
    if run.state.final:
        st.caption("No job was started.")
    else:
        st.caption("The steps appear here as soon as Snakemake has made its plan.")


def _steps(steps: Sequence[Step]) -> None:
    rows = [
        {
            "Step": step.rule,
            "State": chip(step.state),
            "Jobs": f"{step.done} / {step.total}",
            "Progress": step.done / step.total if step.total else None,
            "Mean time": clock(step.mean_seconds),
        }
        for step in steps
    ]
    st.dataframe(
        pd.DataFrame(rows),
        key="steps",
        hide_index=True,
        height="content" if len(rows) <= 14 else 560,
        row_height=36,
        alt="Steps of the run",
        column_config={
            "Step": st.column_config.TextColumn(width=120),
            "State": chip_column(width=100),
            "Jobs": st.column_config.TextColumn(width=62),
            "Progress": st.column_config.ProgressColumn(
                format="percent", min_value=0, max_value=1, width=110
            ),
            "Mean time": st.column_config.TextColumn(width=84),
        },
    )


def _timeline(jobs: Sequence[Job], start: datetime) -> None:
    rows, spec = charts.timeline(jobs, start, datetime.now(UTC))
    if not rows:
        return
    with st.container(border=True, key="timeline-frame"):
        st.vega_lite_chart(
            pd.DataFrame(rows), spec, width="stretch", key="timeline", alt="When each job ran"
        )
    if len(jobs) > len(rows):
        st.caption(f"The last {len(rows)} of {amount(len(jobs), 'job')}.")
