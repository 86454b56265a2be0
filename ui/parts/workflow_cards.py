"""A workflow as a card: what goes in, what comes out, and the ways to start it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import streamlit as st

from services.models import Workflow
from ui import context
from ui.formatting import plain, roughly
from ui.parts import submission

WIDTH, GAP = 400, 28  # px
FEW = 2  # cards of a category that has others beside it


def by_category(workflows: Iterable[Workflow], place: str) -> None:
    """All workflows as cards, under the headings of their categories; small ones side by side."""
    ordered = sorted(workflows, key=_place)
    with st.container(horizontal=True, gap="medium"):
        for category, found in groupby(ordered, key=lambda one: one.category):
            members = list(found)
            wide = WIDTH * len(members) + GAP * (len(members) - 1)
            with st.container(width=wide if len(members) <= FEW else "stretch"):
                st.subheader(plain(category), anchor=False)
                shelf(members, place)


def shelf(workflows: Iterable[Workflow], place: str) -> None:
    """Cards side by side, as many as fit."""
    with st.container(horizontal=True, gap="medium"):
        for workflow in workflows:
            with st.container(
                border=True, width=WIDTH, gap="xsmall", key=f"card-{place}-{workflow.name}"
            ):
                _card(workflow, place)


def _place(workflow: Workflow) -> tuple[bool, str, bool, str]:
    """By category with Other last; what cannot run here after what can."""
    category = workflow.category
    return category == "Other", category, not workflow.available, workflow.title.lower()


def _card(workflow: Workflow, place: str) -> None:
    st.markdown(f"#### {plain(workflow.title)}", anchors=False)
    if workflow.summary:
        st.caption(plain(workflow.summary))
    for label, icon, text in (
        ("In", "login", workflow.takes),
        ("Out", "logout", workflow.gives),
    ):
        if text:
            st.markdown(f":gray[:material/{icon}: {label}] {plain(text)}")
    if workflow.available and (
        usual := context.services().installation.usual_seconds(workflow.name)
    ):
        st.markdown(f":gray[:material/timer: Takes] {roughly(usual)} here")
    if not workflow.available:
        _why_not(workflow)
    with st.container(horizontal=True, vertical_alignment="center"):
        submission.example_button(workflow, place, primary=place == "welcome")
        if workflow.available and context.button(
            "Set up a run", key=f"setup-{place}-{workflow.name}", icon=":material/tune:"
        ):
            context.go("new", workflow=workflow.name)
        if st.button("About", key=f"about-{place}-{workflow.name}", type="tertiary"):
            context.go("workflows", name=workflow.name)


def _why_not(workflow: Workflow) -> None:
    st.markdown(":orange-badge[:material/block: Not available here]")
    for problem in workflow.problems:
        st.markdown(f":small[{plain(problem)}]")
