"""The list of runs, updated while it is open."""

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
    amount,
    chip,
    chip_column,
    duration,
    elapsed,
    estimate,
    queue_position,
    short_estimate,
    table,
    title,
)
from ui.parts import keyboard_list, run_selection, workflow_cards

PAGE_SIZE = 50  # runs
LIVE_POLL_INTERVAL_S = 2.0  # while a run has not finished
IDLE_POLL_INTERVAL_S = 15.0
STATES = {  # label of a filter → states
    "Waiting": [State.QUEUED],
    "Running": [State.INITIALIZING, State.RUNNING, State.CANCELING],
    "Done": [State.COMPLETE],
    "Failed": [State.EXECUTOR_ERROR, State.SYSTEM_ERROR],
    "Canceled": [State.CANCELED],
}


def page() -> None:
    st.query_params.pop("id", None)  # left in the history of the browser by the page of a run
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.title("Runs", anchor=False, width="content")
        st.space("stretch")
        if context.button("New run", type="primary", icon=":material/add:", key="new"):
            context.go("new")
    filters = _filters()
    live = st.session_state.setdefault("live", True)
    interval = LIVE_POLL_INTERVAL_S if live else IDLE_POLL_INTERVAL_S
    st.fragment(_board, run_every=interval)(filters)


def _filters() -> RunFilter:
    """Draw the filters, which the URL keeps; return them."""
    common: dict[str, Any] = {
        "bind": "query-params",
        "label_visibility": "collapsed",
        "on_change": _show_newest,
    }
    workflows = context.services().workflows.list(context.actor())
    titles = {workflow.name: workflow.title for workflow in workflows}
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        states = st.pills("State", list(STATES), selection_mode="multi", key="state", **common)
        st.space("stretch")
        workflow = st.selectbox(
            "Workflow",
            list(titles),
            index=None,
            format_func=lambda name: str(titles.get(name, name)),
            placeholder="Any workflow",
            key="flow",  # `workflow` in the URL belongs to the page of a new run
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
        limit=PAGE_SIZE,
    )


def _show_newest() -> None:
    """Go to the newest runs."""
    st.query_params.pop("after", None)
    run_selection.clear()


def _show_older(token: str) -> None:
    """Go to the page with this token."""
    st.query_params["after"] = token
    run_selection.clear()


@errors.guarded
def _board(filters: RunFilter) -> None:
    """Draw the counters and the table; called again at each poll."""
    _open_chosen()
    try:
        board = errors.latest(
            f"runs {filters.model_dump_json()}",
            lambda: context.services().views.board(context.actor(), filters),
        )
    except Invalid:  # a page token of another installation
        _show_newest()
        st.rerun()
    filtered = bool(filters.state or filters.workflow or filters.text or filters.after)
    if not filtered and not any(board.counts.values()):
        _welcome()
    else:
        if run_selection.selected():
            run_selection.draw_bar()
        else:
            _counters(board)
        _table(run_selection.pin(board.page.items), board.left)
        _draw_list(board.page.items)
        _pager(board.page, filters)
    live = any(count for state, count in board.counts.items() if state not in FINAL)
    if live != st.session_state.get("live"):
        st.session_state["live"] = live
        st.rerun()


def _counters(board: Board) -> None:
    icons = {"Waiting": State.QUEUED, "Running": State.RUNNING, "Done": State.COMPLETE}
    with st.container(horizontal=True, gap="small", key="counters"):
        for name, caption in _captions(board).items():
            look = LOOKS[icons.get(name, State.EXECUTOR_ERROR)]
            label = f":{look.color}[:material/{look.icon}:] {name}"
            options: dict[str, Any] = {"delta_color": "off", "delta_arrow": "off", "border": True}
            st.metric(label, f"{_number(board, name):,}", caption, **options)


def _number(board: Board, name: str) -> int:
    return sum(board.counts.get(state, 0) for state in STATES[name])


def _captions(board: Board) -> dict[str, str]:
    """Return the caption of each counter."""
    line, done, failed = board.line, _number(board, "Done"), _number(board, "Failed")
    waits = [r.queue.seconds for r in board.page.items if r.queue and r.queue.seconds is not None]
    waiting = f"{amount(line.waiting, 'run')} in queue"
    return {
        "Running": f"{line.taken:,} of {amount(line.cores, 'core')} busy",
        "Waiting": f"Next starts in {short_estimate(min(waits))}" if waits else waiting,
        "Done": f"{done / (done + failed):.0%} succeeded" if done + failed else "None yet",
        "Failed": "Can be resumed" if failed else "None",
    }


def _table(runs: list[Run], left: Mapping[str, float]) -> None:
    if not runs:
        with st.container(border=True, horizontal_alignment="center", key="no-match"):
            st.markdown("#### :material/search_off: No matching runs", anchors=False)
            st.caption("Clear the search and the filters, or start a new run.")
        return
    now = datetime.now(UTC)
    st.dataframe(
        table([_row(run, now, left.get(run.id)) for run in runs]),
        key=run_selection.TABLE_KEY,
        hide_index=True,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        height="content",
        row_height=38,
        alt="Runs, newest first",
        column_order=_columns(runs),
        column_config={
            "State": chip_column(),
            "Name": st.column_config.TextColumn(width=240),
            "Workflow": st.column_config.TextColumn(width=160),
            "Progress": st.column_config.ProgressColumn(
                format="percent", min_value=0, max_value=1, width=150
            ),
            "Time": st.column_config.TextColumn(width=230),
            "Submitted": st.column_config.DatetimeColumn(format="distance", width=130),
            "Tags": st.column_config.ListColumn(width=160),
            "Owner": st.column_config.TextColumn(width=120),
        },
    )


def _open_chosen() -> None:
    """Open the run that was drawn in the clicked row, even if the rows have changed since."""
    cells = st.session_state.get(run_selection.TABLE_KEY, run_selection.NO_SELECTION)[
        "selection"
    ].get("cells", [])
    drawn: list[Run] = st.session_state.get("drawn", [])
    if cells and cells[0][0] < len(drawn):
        context.go("run", id=drawn[cells[0][0]].id)


def _draw_list(runs: Sequence[Run]) -> None:
    """Draw the runs as a list for the keyboard."""
    labels = {run.id: f"{title(run)}, {LOOKS[run.state].word}" for run in runs}
    if run_id := keyboard_list.draw("Open a run", labels, "runs"):
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
    """Return the duration of a run and the estimated rest, or its position in the queue."""
    if run.state is State.QUEUED and run.queue:
        position, seconds = queue_position(run.queue), run.queue.seconds
        if seconds is None:
            return position
        return f"{position}, starts in {short_estimate(seconds)}"
    time = duration(elapsed(run, now))
    if left is None:
        return time
    return f"{time}, {estimate(left)} left" if left > 0 else f"{time}, longer than usual"


def _columns(runs: list[Run]) -> list[str]:
    columns = ["State", "Name", "Workflow", "Progress", "Time", "Submitted"]
    if any(run.tags for run in runs):
        columns.append("Tags")
    if context.services().settings.sign_in:
        columns.append("Owner")
    return columns


def _pager(page: Page[Run], filters: RunFilter) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="pager"):
        if page.items:
            hint = "Click a run to open it. Select several to cancel, download or delete them."
            if run_selection.selected():
                hint = "New runs appear when you clear the selection."
            st.caption(f"{amount(len(st.session_state['drawn']), 'run')}. {hint}", width="content")
        st.space("stretch")
        if filters.after and st.button(
            "Newest", icon=":material/first_page:", key="newest", on_click=_show_newest
        ):
            st.rerun()
        if page.next and st.button(
            "Older",
            icon=":material/chevron_right:",
            icon_position="right",
            key="older",
            on_click=_show_older,
            args=(page.next,),
        ):
            st.rerun()


def _welcome() -> None:
    """Draw the examples, in place of an empty list of runs."""
    with st.container(border=True, gap="small", key="welcome"):
        st.markdown("#### :material/waving_hand: Welcome to Rundesk", anchors=False)
        st.markdown(
            "There are no runs yet. Start with an example: it has its own data, takes less than a"
            " minute, and shows you a run and its results."
        )
        workflows = context.services().workflows.list(context.actor())
        ready = [each for each in workflows if each.available and each.example]
        if ready:
            workflow_cards.shelf(ready, "welcome")
        else:
            st.info("No workflow with example data is available on this server.")
