"""The list of runs, kept up to date while it is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from services.errors import Invalid
from services.models import FINAL, Page, Run, RunFilter, State
from services.runs.views import Board
from ui import context, errors
from ui.formatting import (
    LOOKS,
    about,
    amount,
    chip,
    chip_column,
    clock,
    line,
    roughly,
    table,
    taken,
    title,
)
from ui.parts import keyboard_list, run_selection, workflow_cards

LIMIT = 50  # runs on a page
LIVELY, CALM = 2.0, 15.0  # s between polls, with and without something that moves
STATES = {  # what a filter is called, and the states it stands for
    "Waiting": [State.QUEUED],
    "Running": [State.INITIALIZING, State.RUNNING, State.CANCELING],
    "Done": [State.COMPLETE],
    "Failed": [State.EXECUTOR_ERROR, State.SYSTEM_ERROR],
    "Canceled": [State.CANCELED],
}


def page() -> None:
    st.query_params.pop("id", None)  # of a run's page, left in the browser's history
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.title("Runs", anchor=False, width="content")
        st.space("stretch")
        if context.button("New run", type="primary", icon=":material/add:", key="new"):
            context.go("new")
    wanted = _filters()
    lively = st.session_state.setdefault("lively", True)
    st.fragment(_board, run_every=LIVELY if lively else CALM)(wanted)


def _filters() -> RunFilter:
    """The filters, which the URL keeps."""
    common = {"bind": "query-params", "label_visibility": "collapsed", "on_change": _newest}
    titles = {one.name: one.title for one in context.services().workflows.list(context.actor())}
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        states = st.pills("State", list(STATES), selection_mode="multi", key="state", **common)
        st.space("stretch")
        workflow = st.selectbox(
            "Workflow",
            list(titles),
            index=None,
            format_func=lambda name: titles.get(name, name),
            placeholder="Any workflow",
            key="flow",  # `workflow` in the URL is the new run's
            width=220,
            **common,
        )
        words = st.text_input(
            "Search",
            key="q",
            type="search",
            max_chars=200,
            placeholder="Search name, tag or workflow",
            icon=":material/search:",
            width=300,
            **common,
        )
    return RunFilter(
        state=[state for name in states for state in STATES[name]],
        workflow=workflow,
        text=(words or "").strip()[:200] or None,
        after=st.query_params.get("after", "")[:200] or None,
        limit=LIMIT,
    )


def _newest() -> None:
    """Another filter starts at the newest run."""
    st.query_params.pop("after", None)
    run_selection.clear()


def _older(token: str) -> None:
    st.query_params["after"] = token
    run_selection.clear()


@errors.guarded
def _board(wanted: RunFilter) -> None:
    """Counters and table; drawn again at each poll."""
    _open_chosen()
    try:
        board = errors.latest(
            f"runs {wanted.model_dump_json()}",
            lambda: context.services().views.board(context.actor(), wanted),
        )
    except Invalid:  # a token of another desk, or of another time
        _newest()
        st.rerun()
    found, counts = board.page, board.counts
    filtered = bool(wanted.state or wanted.workflow or wanted.text or wanted.after)
    if not filtered and not any(counts.values()):
        _welcome()
    else:
        if run_selection.picked():
            run_selection.bar()
        else:
            _counters(board)
        _table(run_selection.steady(found.items), board.left)
        _reach(found.items)
        _pager(found, wanted)
    lively = any(count for state, count in counts.items() if state not in FINAL)
    if lively != st.session_state.get("lively"):
        st.session_state["lively"] = lively
        st.rerun()


def _counters(board: Board) -> None:
    icons = {"Waiting": State.QUEUED, "Running": State.RUNNING, "Done": State.COMPLETE}
    told = _told(board)
    with st.container(horizontal=True, gap="small", key="counters"):
        for name, words in told.items():
            look = LOOKS[icons.get(name, State.EXECUTOR_ERROR)]
            label = f":{look.color}[:material/{look.icon}:] {name}"
            quiet = {"delta_color": "off", "delta_arrow": "off", "border": True}
            st.metric(label, f"{_number(board, name):,}", words, **quiet)


def _number(board: Board, name: str) -> int:
    return sum(board.counts.get(state, 0) for state in STATES[name])


def _told(board: Board) -> dict[str, str]:
    """What each counter says below its number."""
    line, done, failed = board.line, _number(board, "Done"), _number(board, "Failed")
    waits = [r.queue.seconds for r in board.page.items if r.queue and r.queue.seconds is not None]
    soon = f"next in {about(min(waits))}" if waits else ""
    return {
        "Running": f"{line.taken} of {amount(line.cores, 'core')} busy",
        "Waiting": soon or f"{amount(line.waiting, 'run')} in line",
        "Done": f"{done / (done + failed):.0%} of those over" if done + failed else "none yet",
        "Failed": "can be resumed" if failed else "none",
    }


def _table(runs: list[Run], left: Mapping[str, float]) -> None:
    if not runs:
        with st.container(border=True, horizontal_alignment="center", key="no-match"):
            st.markdown("#### :material/search_off: No run matches", anchors=False)
            st.caption("Clear the search or the filters, or start a new run.")
        return
    now = datetime.now(UTC)
    st.dataframe(
        table([_row(run, now, left.get(run.id)) for run in runs]),
        key=run_selection.TABLE,
        hide_index=True,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        height="content",
        row_height=38,
        alt="Runs, newest first",
        column_order=_columns(runs),
        column_config={
            "State": chip_column(),
            "Name": st.column_config.TextColumn(width=260),
            "Workflow": st.column_config.TextColumn(width=160),
            "Progress": st.column_config.ProgressColumn(
                format="percent", min_value=0, max_value=1, width=150
            ),
            "Time": st.column_config.TextColumn(width=200),
            "Submitted": st.column_config.DatetimeColumn(format="distance", width=130),
            "Tags": st.column_config.ListColumn(width=160),
            "Owner": st.column_config.TextColumn(width=120),
        },
    )


def _open_chosen() -> None:
    """Open the run whose row was clicked: the one that was drawn there, whatever came in since."""
    cells = st.session_state.get(run_selection.TABLE, run_selection.NOTHING)["selection"].get(
        "cells", []
    )
    drawn: list[Run] = st.session_state.get("drawn", [])
    if cells and cells[0][0] < len(drawn):
        context.go("run", id=drawn[cells[0][0]].id)


def _reach(runs: Sequence[Run]) -> None:
    """The same by keyboard."""
    words = {run.id: f"{title(run)}, {LOOKS[run.state].word}" for run in runs}
    if run_id := keyboard_list.draw("Open a run", words, "runs"):
        context.go("run", id=run_id)


def _row(run: Run, now: datetime, left: float | None) -> dict[str, Any]:
    done = run.progress.done / run.progress.total if run.progress.total else None
    return {
        "State": chip(run.state),
        "Name": title(run),
        "Workflow": run.workflow_title,
        "Progress": 1.0 if run.state is State.COMPLETE else done,
        "Time": _time(run, now, left),
        "Submitted": run.created,
        "Tags": run.tags,
        "Owner": run.owner,
    }


def _time(run: Run, now: datetime, left: float | None) -> str:
    """How long a run took, or takes so far and still will; or when its turn comes."""
    if run.state is State.QUEUED and run.queue:
        soon = run.queue.seconds
        return line(run.queue) if soon is None else f"{line(run.queue)}, in {about(soon)}"
    so_far = clock(taken(run, now))
    if left is None:
        return so_far
    return f"{so_far}, {roughly(left)} left" if left > 0 else f"{so_far}, longer than usual"


def _columns(runs: list[Run]) -> list[str]:
    columns = ["State", "Name", "Workflow", "Progress", "Time", "Submitted"]
    if any(run.tags for run in runs):
        columns.append("Tags")
    if context.services().settings.sign_in:
        columns.append("Owner")
    return columns


def _pager(found: Page[Run], wanted: RunFilter) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="pager"):
        if found.items:
            hint = "Click one to open it, tick several to act on them."
            if run_selection.picked():
                hint = "New ones are listed when the selection is cleared."
            st.caption(f"{amount(len(st.session_state['drawn']), 'run')}. {hint}", width="content")
        st.space("stretch")
        if wanted.after and st.button(
            "Newest", icon=":material/first_page:", key="newest", on_click=_newest
        ):
            st.rerun()
        if found.next and st.button(
            "Older",
            icon=":material/chevron_right:",
            icon_position="right",
            key="older",
            on_click=_older,
            args=(found.next,),
        ):
            st.rerun()


def _welcome() -> None:
    """What a desk without runs shows: the examples."""
    with st.container(border=True, gap="small", key="welcome"):
        st.markdown("#### :material/waving_hand: Welcome. Nothing has run here yet", anchors=False)
        st.markdown(
            "Start with an example: it brings its own data and is done within a minute. "
            "You see how a run goes, and what its results look like."
        )
        workflows = context.services().workflows.list(context.actor())
        ready = [one for one in workflows if one.available and one.example]
        if ready:
            workflow_cards.shelf(ready, "welcome")
        else:
            st.info("No workflow with an example is available on this desk yet.")
