"""The plan of a run: its steps, their numbers of jobs, and their dependencies."""

from __future__ import annotations

import streamlit as st

from services.models import Preview
from ui.formatting import amount, plain, table
from ui.parts import charts

PLANNING = "Planning the run…"


def draw(preview: Preview) -> None:
    """Draw the steps as a table and a graph, or the reasons why there is no plan."""
    for problem in preview.problems:
        st.error(plain(problem), icon=":material/error:")
    if not preview.rules:
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.dataframe(
            table([{"Step": rule.rule, "Jobs": rule.jobs} for rule in preview.rules]),
            key="plan-rules",
            hide_index=True,
            height="content" if len(preview.rules) <= 14 else 560,
            row_height=36,
            alt="Steps and their jobs",
            column_config={
                "Step": st.column_config.TextColumn(width=150),
                "Jobs": st.column_config.NumberColumn(width=60, format="localized"),
            },
        )
        st.caption(f"{amount(preview.total, 'job')} in total.")
    with right:
        graph(preview)


def graph(preview: Preview) -> None:
    """Draw the steps as a graph."""
    with st.container(border=True, key="graph"):
        st.graphviz_chart(
            charts.plan_dot(preview), width="content", alt="Steps and their dependencies"
        )
