"""One run: what it does, what it did, what it made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from services.errors import NotFound, RundeskError
from services.models import Actor, Cause, Run, State
from ui import desk, errors, submission
from ui.look import LOOKS, amount, badge, clock, plain, printable, taken, title
from ui.tabs import jobs, log, overview, results, settings

YOUNG = 30.0  # s for which a run is polled more often
OFTEN, STEADY = 1.0, 2.0  # s between polls
TABS = {
    "Overview": overview.draw,
    "Jobs": jobs.draw,
    "Log": log.draw,
    "Results": results.draw,
    "Settings": settings.draw,
}


def page() -> None:
    submission.settle()
    run_id = st.query_params.get("id", "")
    st.page_link(desk.pages()["runs"], label="Runs", icon=":material/arrow_back:")
    try:
        run = _look(run_id)
    except NotFound:
        _missing()
        return
    st.set_page_config(page_title=f"{title(run)} · Rundesk")
    _head(run)
    _caption(run)
    st.fragment(_body, run_every=_pace(run, datetime.now(UTC)))(run.id, run.state)


def _look(run_id: str) -> Run:
    return errors.latest(f"run {run_id}", lambda: desk.services().runs.get(desk.actor(), run_id))


def _pace(run: Run, now: datetime) -> float | None:
    """Seconds between polls; None when nothing changes any more."""
    if run.state.final:
        return None
    return OFTEN if (now - run.created).total_seconds() < YOUNG else STEADY


def _missing() -> None:
    with st.container(border=True, horizontal_alignment="center", key="missing"):
        st.markdown("#### :material/search_off: There is no such run", anchors=False)
        st.caption("It was deleted, belongs to somebody else, or the address has a typing error.")
        if st.button("See all runs", key="all-runs", type="primary"):
            desk.go("runs")


def _head(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.title(plain(title(run)), anchor=False, width="content")
        st.markdown(badge(run.state), width="content")
        st.space("stretch")
        if not run.state.final:
            stopping = run.state is State.CANCELING
            if st.button("Cancel", key="cancel", icon=":material/stop_circle:", disabled=stopping):
                _confirm_cancel(run)
        elif run.state is State.COMPLETE:
            if st.button("Results", key="see-results", icon=":material/insights:", type="primary"):
                st.session_state["tab"] = "Results"
        else:
            st.button(
                "Resume",
                key="resume",
                icon=":material/resume:",
                help="Finished jobs are kept.",
                on_click=_act,
                args=(desk.services().runs.resume, run),
            )
        if st.button("Run again", key="again", icon=":material/replay:"):
            desk.go("new", **{"from": run.id})


def _act(action: Callable[[Actor, str], object], run: Run) -> None:
    """Do something with the run before the page is drawn again; if it is refused, say why."""
    try:
        action(desk.actor(), run.id)
    except RundeskError as error:
        desk.flash(errors.words(error))


def _caption(run: Run) -> None:
    workflow = f"{run.workflow_title} {run.workflow_version}".strip()
    parts = [plain(run.id), plain(workflow)]
    if desk.services().settings.sign_in:
        parts.append(plain(run.owner))
    parts.append(f"submitted {desk.local(run.created)}")
    tags = " ".join(f":gray-badge[{plain(tag)}]" for tag in run.tags)
    st.caption(f"{'  ·  '.join(parts)}  {tags}")


@st.dialog("Cancel this run?", icon=":material/stop_circle:")
def _confirm_cancel(run: Run) -> None:
    st.write(
        "Jobs that are running now are stopped. Finished ones stay, and the run can be resumed."
    )
    left, right = st.columns(2)
    if left.button(
        "Cancel the run",
        type="primary",
        width="stretch",
        key="cancel-yes",
        on_click=_act,
        args=(desk.services().runs.cancel, run),
    ):
        st.rerun()
    if right.button("Keep it running", width="stretch", key="cancel-no"):
        st.rerun()


@errors.guarded
def _body(run_id: str, drawn: State) -> None:
    """Everything below the head; drawn again at each poll while the run is live."""
    run = _look(run_id)
    if run.state is not drawn:
        st.rerun()
    if run.state in (State.EXECUTOR_ERROR, State.SYSTEM_ERROR):
        _failure(run)
    _progress(run, datetime.now(UTC))
    tabs = st.tabs(list(TABS), key="tab", on_change="rerun", bind="query-params")
    for tab, draw in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab, errors.told():
                draw(run)


def _progress(run: Run, now: datetime) -> None:
    progress = run.progress
    parts = [f"{progress.done} of {amount(progress.total, 'job')}"] if progress.total else []
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if run.state is State.QUEUED:
        parts.append(_turn(run))
    elif run.state is State.INITIALIZING:
        parts.append("Snakemake starts")
    elif run.state is State.CANCELING:
        parts.append("jobs are being stopped")
    elapsed = taken(run, now)
    if elapsed is not None:
        parts.append(f"{clock(elapsed)} {'in all' if run.state.final else 'so far'}")
    done = progress.done / progress.total if progress.total else 0.0
    share = 1.0 if run.state is State.COMPLETE else min(1.0, done)
    with st.container(key="progress"):
        st.progress(share, text="  ·  ".join(parts) or LOOKS[run.state].word)


def _turn(run: Run) -> str:
    """When a waiting run will start, as far as that is known."""
    if run.queue is None:
        return "waits for a free place"
    place = "next in line" if run.queue.position <= 1 else f"number {run.queue.position} in line"
    soon = run.queue.seconds
    return place if soon is None else f"{place}, starts in about {clock(soon)}"


def _failure(run: Run) -> None:
    """Why it failed, first of all, and what to do next."""
    cause = run.cause
    with st.container(border=True, gap="small", key="failure"):
        message = cause.message if cause else run.error or "The run did not complete."
        st.markdown(f"#### :red[:material/error:] {plain(message)}", anchors=False)
        if cause is None:
            return
        if cause.hint:
            st.markdown(plain(cause.hint))
        if cause.rule:
            st.markdown(f":gray[Rule] **{plain(cause.rule)}**")
        if cause.log:
            st.code(printable(cause.log), language=None, wrap_lines=True, height=_height(cause))
        if cause.job and st.button(
            "Open this job and its log", key="failed-job", icon=":material/description:"
        ):
            st.session_state["tab"] = "Jobs"
            st.query_params["job"] = cause.job
            st.rerun()


def _height(cause: Cause) -> int | str:
    return 260 if cause.log.count("\n") > 12 else "content"
