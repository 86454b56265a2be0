"""Steps, graph and timeline of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from services.models import JobFilter, Run, Step
from services.runs.views import RunView
from ui import context, errors
from ui.formatting import chip, chip_column, clock, table
from ui.parts import charts


def draw(view: RunView) -> None:
    run, graph = view.run, view.graph
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
    if run.started:
        _timeline(view, run.started)


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
        table(rows),
        key="steps",
        hide_index=True,
        height="content" if len(rows) <= 14 else 560,
        row_height=36,
        alt="Steps of the run",
        column_config={
            "Step": st.column_config.TextColumn(width=150),
            "State": chip_column(width=92),
            "Jobs": st.column_config.TextColumn(width=62),
            "Progress": st.column_config.ProgressColumn(
                format="percent", min_value=0, max_value=1, width=96
            ),
            "Mean time": st.column_config.TextColumn(width=80),
        },
    )


def _timeline(view: RunView, start: datetime) -> None:
    """When each job ran; of many, those of a stretch that can be chosen."""
    begun = sum(step.done + step.failed + step.running for step in view.graph.steps)
    stretches = max(1, math.ceil(begun / charts.BARS))
    with st.container(horizontal=True, vertical_alignment="center", key="timeline-head"):
        st.subheader("Timeline", anchor=False, width="content")
        chosen = stretches
        if stretches > 1:
            st.space("stretch")
            chosen = _stretch(stretches, live=not view.run.state.final)
    wanted = JobFilter(skip=(chosen - 1) * charts.BARS, limit=charts.BARS)
    key = f"timeline {view.run.id} {chosen}"
    jobs = errors.latest(
        key, lambda: context.services().views.jobs(context.actor(), view.run.id, wanted)
    ).jobs
    rows, spec = charts.timeline(jobs, start, datetime.now(UTC))
    if not rows:
        st.caption("No job has started yet.")
        return
    with st.container(border=True, key="timeline-frame"):
        st.vega_lite_chart(
            table(rows), spec, width="stretch", key="timeline", alt="When each job ran"
        )
    if stretches > 1:
        first = wanted.skip + 1
        st.caption(
            f"Jobs {first:,} to {first + len(jobs) - 1:,} of {begun:,}, in the order they started."
            " Drag to move along, hold Shift and scroll to zoom, double-click for all."
        )


def _stretch(count: int, *, live: bool) -> int:
    """Which stretch of the jobs to show; the newest until one is chosen, while jobs start."""
    known = st.session_state.get("stretches")
    chosen = st.session_state.get("stretch", known if live else 1)
    st.session_state["stretch"] = count if chosen == known and live else min(chosen, count)
    st.session_state["stretches"] = count
    return int(st.pagination(count, key="stretch", max_visible_pages=7))
