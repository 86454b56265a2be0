"""Steps, graph and timeline of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from services.models import JobFilter, Run, Step
from services.runs.views import RunView
from ui import context, errors
from ui.formatting import chip, chip_column, duration, table
from ui.parts import charts


def draw(view: RunView) -> None:
    """Draw the steps of a run, their graph, and when the jobs ran."""
    run, graph = view.run, view.graph
    if not graph.steps:
        _note_no_steps(run)
        return
    left, right = st.columns([5, 6], gap="large")
    with left:
        st.subheader("Steps", anchor=False)
        _steps(graph.steps)
    with right:
        st.subheader("Graph", anchor=False)
        with st.container(border=True, key="graph"):
            st.graphviz_chart(
                charts.dot(graph), width="content", alt="Steps and their dependencies"
            )
    if run.started:
        _timeline(view, run.started)


def _note_no_steps(run: Run) -> None:
    if run.state.final:
        st.caption("No jobs were started.")
    else:
        st.caption("The steps appear when Snakemake has planned the run.")


def _steps(steps: Sequence[Step]) -> None:
    rows = [
        {
            "Step": step.rule,
            "State": chip(step.state),
            "Jobs": f"{step.done} / {step.total}",
            "Progress": step.done / step.total if step.total else None,
            "Average time": duration(step.mean_seconds),
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
            "Step": st.column_config.TextColumn(width=140),
            "State": chip_column(width=92),
            "Jobs": st.column_config.TextColumn(width=62),
            "Progress": st.column_config.ProgressColumn(
                format="percent", min_value=0, max_value=1, width=96
            ),
            "Average time": st.column_config.TextColumn(width=98),
        },
    )


def _timeline(view: RunView, start: datetime) -> None:
    """Draw when each job ran; many jobs are split into sections that the user can choose."""
    started = sum(step.done + step.failed + step.running for step in view.graph.steps)
    sections = max(1, math.ceil(started / charts.MAX_BARS))
    with st.container(horizontal=True, vertical_alignment="center", key="timeline-head"):
        st.subheader("Timeline", anchor=False, width="content")
        section = sections
        if sections > 1:
            st.space("stretch")
            section = _section(sections, live=not view.run.state.final)
    filters = JobFilter(skip=(section - 1) * charts.MAX_BARS, limit=charts.MAX_BARS)
    key = f"timeline {view.run.id} {section}"
    jobs = errors.latest(
        key, lambda: context.services().views.jobs(context.actor(), view.run.id, filters)
    ).jobs
    rows, spec = charts.timeline(jobs, start, datetime.now(UTC))
    if not rows:
        st.caption("No jobs have started yet.")
        return
    with st.container(border=True, key="timeline-frame"):
        st.vega_lite_chart(
            table(rows), spec, width="stretch", key="timeline", alt="When each job ran"
        )
    if sections > 1:
        first = filters.skip + 1
        last = first + len(jobs) - 1
        st.caption(
            f"Jobs {first:,} to {last:,} of {started:,}, in the order they started."
            " Drag to pan, hold Shift and scroll to zoom, or double-click to reset."
        )


def _section(count: int, *, live: bool) -> int:
    """Draw the choice of a section; return it.

    While jobs start, the choice stays at the newest section until the user chooses another one.
    """
    known = st.session_state.get("stretches")
    chosen = st.session_state.get("stretch", known if live else 1)
    st.session_state["stretch"] = count if chosen == known and live else min(chosen, count)
    st.session_state["stretches"] = count
    return int(st.pagination(count, key="stretch", max_visible_pages=7))
