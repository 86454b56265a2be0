"""What a run would do: its rules, how many jobs of each, and what waits for what."""

from __future__ import annotations

import streamlit as st

from services.models import Preview
from ui.formatting import amount, plain, table
from ui.parts import charts


def draw(preview: Preview) -> None:
    for problem in preview.problems:
        st.error(plain(problem), icon=":material/error:")
    if not preview.rules:
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.dataframe(
            table([{"Step": one.rule, "Jobs": one.jobs} for one in preview.rules]),
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
        st.caption(f"{amount(preview.total, 'job')} in all.")
    with right:
        graph(preview)


def graph(preview: Preview) -> None:
    with st.container(border=True, key="graph"):
        st.graphviz_chart(
            charts.planned(preview), width="content", alt="Steps and what they wait for"
        )
