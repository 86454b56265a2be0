"""Workflows as cards: their input and output, and the ways to start a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import streamlit as st

from services.models import Workflow
from ui import context
from ui.formatting import amount, estimate, plain
from ui.parts import submission

NO_WORKFLOWS = (
    "No workflows are installed. Add a workflow to one of the folders in RUNDESK_WORKFLOWS."
)
NO_MATCH = "No workflow matches the search. Use fewer words, or another category."
TYPING_PAUSE = "1s"  # after which the search is applied
MIN_SEARCHED_WORKFLOWS = 9  # fewer are in view at once
CARD_WIDTH_PX, CARD_GAP_PX = 400, 28
MAX_NARROW_CARDS = 2  # a category with more cards takes the whole width


def choose(workflows: Sequence[Workflow], place: str) -> Sequence[Workflow]:
    """Draw a search and the categories above many workflows; return those that match.

    Each word of the search must be in the title, the name, the summary, or the texts about input
    and output.
    """
    if len(workflows) < MIN_SEARCHED_WORKFLOWS:
        return workflows
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"choose-{place}"):
        words = st.text_input(
            "Search workflows",
            key=f"search-{place}",
            icon=":material/search:",
            placeholder="For example: variants",
            live=TYPING_PAUSE,
            width=CARD_WIDTH_PX,
        )
        categories = sorted({workflow.category for workflow in workflows}, key=_category_key)
        chosen = None
        if len(categories) > 1:
            chosen = st.pills(
                "Category", categories, key=f"category-{place}", format_func=plain, width="content"
            )
    found = [
        workflow
        for workflow in workflows
        if _matches(workflow, words or "") and chosen in (None, workflow.category)
    ]
    if not found:
        st.info(NO_MATCH, icon=":material/search_off:")
    elif len(found) < len(workflows):
        st.caption(f"{amount(len(found), 'workflow')} of {len(workflows)}.")
    return found


def _matches(workflow: Workflow, words: str) -> bool:
    texts = (workflow.title, workflow.name, workflow.summary, workflow.takes, workflow.gives)
    whole = " ".join(texts).casefold()
    return all(word in whole for word in words.casefold().split())


def _category_key(category: str) -> tuple[bool, str]:
    return category == "Other", category


def by_category(workflows: Iterable[Workflow], place: str) -> None:
    """Draw cards under the headings of their categories; small categories are side by side."""
    ordered = sorted(workflows, key=_sort_key)
    groups = [list(group) for _, group in groupby(ordered, key=lambda one: one.category)]
    with st.container(horizontal=True, gap="medium"):
        for members in groups:
            if len(members) <= MAX_NARROW_CARDS:
                width = CARD_WIDTH_PX * len(members) + CARD_GAP_PX * (len(members) - 1)
                with st.container(width=width):
                    _category(members, place)
    for members in groups:
        if len(members) > MAX_NARROW_CARDS:  # in a row with others it would be squeezed
            _category(members, place)


def _category(members: Sequence[Workflow], place: str) -> None:
    st.subheader(plain(members[0].category), anchor=False)
    shelf(members, place)


def shelf(workflows: Iterable[Workflow], place: str) -> None:
    """Draw cards side by side, as many as fit."""
    with st.container(horizontal=True, gap="medium"):
        for workflow in workflows:
            with st.container(
                border=True, width=CARD_WIDTH_PX, gap="xsmall", key=f"card-{place}-{workflow.name}"
            ):
                _card(workflow, place)


def _sort_key(workflow: Workflow) -> tuple[bool, str, bool, str]:
    """Sort by category, "Other" last; in a category, by availability and title."""
    category = workflow.category
    return *_category_key(category), not workflow.available, workflow.title.lower()


def _card(workflow: Workflow, place: str) -> None:
    st.markdown(f"#### {plain(workflow.title)}", anchors=False)
    if workflow.summary:
        st.caption(plain(workflow.summary))
    for label, icon, text in (
        ("Input", "login", workflow.takes),
        ("Output", "logout", workflow.gives),
    ):
        if text:
            st.markdown(f":gray[:material/{icon}: {label}] {plain(text)}")
    if workflow.available and (
        usual := context.services().installation.usual_seconds(workflow.name)
    ):
        st.markdown(f":gray[:material/timer: Usual time] {estimate(usual)}")
    if not workflow.available:
        _reasons(workflow)
    with st.container(horizontal=True, vertical_alignment="center"):
        submission.example_button(workflow, place, primary=place == "welcome")
        if workflow.available and context.button(
            "New run", key=f"setup-{place}-{workflow.name}", icon=":material/tune:"
        ):
            context.go("new", workflow=workflow.name)
        if st.button("Details", key=f"about-{place}-{workflow.name}", type="tertiary"):
            context.go("workflows", name=workflow.name)


def _reasons(workflow: Workflow) -> None:
    """Draw the reasons why a workflow is not available."""
    st.markdown(":orange-badge[:material/block: Not available]")
    for problem in workflow.problems:
        st.markdown(f":small[{plain(problem)}]")
