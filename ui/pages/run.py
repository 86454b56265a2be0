"""One run: what it does, what it did, what it made."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from services.errors import NotFound
from services.models import Cause, Run, State
from services.runs.views import RunView
from ui import context, errors
from ui.formatting import (
    LOOKS,
    about,
    amount,
    badge,
    clock,
    line,
    plain,
    printable,
    roughly,
    taken,
    title,
)
from ui.pages.run_tabs import attempts, jobs, log, overview, results, settings
from ui.parts import run_actions, submission

YOUNG = 30.0  # s for which a run is polled more often
OFTEN, STEADY = 1.0, 2.0  # s between polls
NEXT = {  # what to do where the cause says nothing of it
    State.EXECUTOR_ERROR: "See what the log says. **Run again** opens the form with the same values"
    " to change what was wrong; **Resume** keeps what is done, once the reason is gone.",
    State.SYSTEM_ERROR: "**Resume** goes on with what is left; what is done is kept.",
}
TABS = {
    "Overview": overview.draw,
    "Jobs": jobs.draw,
    "Log": log.draw,
    "Results": results.draw,
    "Settings": settings.draw,
    "Attempts": attempts.draw,
}


def page() -> None:
    submission.settle()
    if earlier := st.query_params.pop("from", None):  # of the form, left in the browser's history
        st.query_params["id"] = earlier
    run_id = st.query_params.get("id", "")
    st.page_link(context.pages()["runs"], label="Runs", icon=":material/arrow_back:")
    try:
        run = _look(run_id).run
    except NotFound:
        _missing()
        return
    st.set_page_config(page_title=f"{title(run)} · Rundesk")
    _head(run)
    _caption(run)
    st.fragment(_body, run_every=_pace(run, datetime.now(UTC)))(run.id, run.state)


def _look(run_id: str) -> RunView:
    return errors.latest(
        f"view {run_id}", lambda: context.services().views.run(context.actor(), run_id)
    )


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
            context.go("runs")


def _head(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.title(plain(title(run)), anchor=False, width="content")
        st.markdown(badge(run.state), width="content")
        st.space("stretch")
        run_actions.buttons(run)


def _caption(run: Run) -> None:
    workflow = f"{run.workflow_title} {run.workflow_version}".strip()
    parts = [plain(run.id), plain(workflow)]
    if context.services().settings.sign_in:
        parts.append(plain(run.owner))
    parts.append(f"submitted {context.local(run.created)}")
    tags = " ".join(f":gray-badge[{plain(tag)}]" for tag in run.tags)
    st.caption(f"{'  ·  '.join(parts)}  {tags}")


@errors.guarded
def _body(run_id: str, drawn: State) -> None:
    """Everything below the head; drawn again at each poll while the run is live."""
    view = _look(run_id)
    run = view.run
    if run.state is not drawn:
        st.rerun()
    if run.state in (State.EXECUTOR_ERROR, State.SYSTEM_ERROR):
        _failure(run)
    _progress(view, datetime.now(UTC))
    tabs = st.tabs(list(TABS), key="tab", on_change="rerun", bind="query-params")
    for tab, draw in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab, errors.told():
                draw(view)


def _progress(view: RunView, now: datetime) -> None:
    run, progress = view.run, view.run.progress
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
    if view.left is not None:
        parts.append(f"{roughly(view.left)} left" if view.left > 0 else "takes longer than usual")
    done = progress.done / progress.total if progress.total else 0.0
    share = 1.0 if run.state is State.COMPLETE else min(1.0, done)
    with st.container(key="progress"):
        st.progress(share, text="  ·  ".join(parts) or LOOKS[run.state].word)
        if words := _held_up(run):
            st.caption(f":material/info: {plain(words)}")


def _turn(run: Run) -> str:
    """When a waiting run will start, as far as that is known."""
    if run.queue is None:
        return "waits for a free place"
    soon = run.queue.seconds
    return line(run.queue) if soon is None else f"{line(run.queue)}, starts in {about(soon)}"


def _held_up(run: Run) -> str:
    """Why it does not go on, where that is not plain to see."""
    if run.unreachable is not None:
        since = context.local(run.unreachable)
        return f"The host of this run gives no sign of life since {since}: its state is not known."
    return run.queue.reason if run.queue else ""


def _failure(run: Run) -> None:
    """Why it failed, first of all, and what to do next."""
    cause = run.cause
    with st.container(border=True, gap="small", key="failure"):
        message = cause.message if cause else run.error or "The run did not complete."
        st.markdown(f"#### :red[:material/error:] {plain(message)}", anchors=False)
        if cause is None:
            return
        st.markdown(plain(cause.hint) if cause.hint else NEXT[run.state])
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
