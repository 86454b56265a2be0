"""The page of a run: its state, its progress, and one tab for each part of its details."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import streamlit as st

from services.errors import NotFound
from services.models import Cause, Run, State
from services.runs.views import RunView
from ui import context, errors
from ui.formatting import (
    LOOKS,
    amount,
    badge,
    duration,
    elapsed,
    estimate,
    plain,
    printable,
    queue_position,
    short_estimate,
    title,
)
from ui.pages.run_tabs import history, jobs, log, overview, parameters, results
from ui.parts import run_actions, submission

NEW_RUN_S = 30.0  # a run that is younger is polled more often
NEW_RUN_POLL_INTERVAL_S, POLL_INTERVAL_S = 1.0, 2.0
HINTS = {  # where the cause has none
    State.EXECUTOR_ERROR: "Fix the input and choose **Run again**, which opens the form with the"
    " same values. If the cause was outside the run, **Resume** continues where it stopped.",
    State.SYSTEM_ERROR: "**Resume** continues where the run stopped. Finished jobs are kept.",
}
TABS = {
    "Overview": overview.draw,
    "Jobs": jobs.draw,
    "Log": log.draw,
    "Results": results.draw,
    "Parameters": parameters.draw,
    "History": history.draw,
}


def page() -> None:
    submission.end_visit()
    if earlier := st.query_params.pop("from", None):  # left in the history by the form
        st.query_params["id"] = earlier
    run_id = st.query_params.get("id", "")
    st.page_link(context.pages()["runs"], label="Runs", icon=":material/arrow_back:")
    try:
        run = _view(run_id).run
    except NotFound:
        _missing()
        return
    st.set_page_config(page_title=f"{title(run)} · Rundesk")
    _head(run)
    _caption(run)
    st.fragment(_body, run_every=_poll_interval(run, datetime.now(UTC)))(run.id, run.state)


def _view(run_id: str) -> RunView:
    """Return the run with its steps. Raises NotFound."""
    return errors.latest(
        f"view {run_id}", lambda: context.services().views.run(context.actor(), run_id)
    )


def _poll_interval(run: Run, now: datetime) -> float | None:
    """Return the seconds between polls; None for a run that has finished."""
    if run.state.final:
        return None
    new = (now - run.created).total_seconds() < NEW_RUN_S
    return NEW_RUN_POLL_INTERVAL_S if new else POLL_INTERVAL_S


def _missing() -> None:
    with st.container(border=True, horizontal_alignment="center", key="missing"):
        st.markdown("#### :material/search_off: Run not found", anchors=False)
        st.caption("It was deleted, it belongs to another user, or its address is wrong.")
        if st.button("Show all runs", key="all-runs", type="primary"):
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
    parts.append(f"submitted {context.local_time(run.created)}")
    tags = " ".join(f":gray-badge[{plain(tag)}]" for tag in run.tags)
    st.caption(f"{'  ·  '.join(parts)}  {tags}")


@errors.guarded
def _body(run_id: str, drawn: State) -> None:
    """Draw everything below the head; called again at each poll while the run is live."""
    view = _view(run_id)
    run = view.run
    if run.state is not drawn:
        st.rerun()
    if run.state in (State.EXECUTOR_ERROR, State.SYSTEM_ERROR):
        _failure(run)
    _progress(view, datetime.now(UTC))
    tabs = st.tabs(list(TABS), key="tab", on_change="rerun", bind="query-params")
    for tab, draw in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab, errors.shown_errors():
                draw(view)


def _progress(view: RunView, now: datetime) -> None:
    run, progress = view.run, view.run.progress
    parts = [f"{progress.done:,} of {amount(progress.total, 'job')}"] if progress.total else []
    if progress.failed:
        parts.append(f"{amount(progress.failed, 'job')} failed")
    if run.state is State.QUEUED:
        parts.append(_position(run))
    elif run.state is State.INITIALIZING:
        parts.append("starting Snakemake")
    elif run.state is State.CANCELING:
        parts.append("stopping jobs")
    seconds = elapsed(run, now)
    if seconds is not None:
        time = duration(seconds)
        parts.append(f"took {time}" if run.state.final else f"running for {time}")
    if view.left is not None:
        parts.append(f"{estimate(view.left)} left" if view.left > 0 else "longer than usual")
    done = progress.done / progress.total if progress.total else 0.0
    share = 1.0 if run.state is State.COMPLETE else min(1.0, done)
    with st.container(key="progress"):
        text = "  ·  ".join(parts) or LOOKS[run.state].word
        st.progress(share, text=text[:1].upper() + text[1:])
        if reason := _delay(run):
            st.caption(f":material/info: {plain(reason)}")


def _position(run: Run) -> str:
    """Return the position of a run in the queue, and when it will start if that is known."""
    if run.queue is None:
        return "waiting in the queue"
    position, seconds = queue_position(run.queue), run.queue.seconds
    return position if seconds is None else f"{position}, starts in {short_estimate(seconds)}"


def _delay(run: Run) -> str:
    """Return a sentence on why a run does not make progress, "" if nothing holds it up."""
    if run.unreachable is not None:
        since = context.local_time(run.unreachable)
        return (
            f"The host of this run has not responded since {since}."
            " The state of the run is not known."
        )
    return run.queue.reason if run.queue else ""


def _failure(run: Run) -> None:
    """Draw why a run failed, and what to do next."""
    cause = run.cause
    with st.container(border=True, gap="small", key="failure"):
        message = cause.message if cause else run.error or "The run did not complete."
        st.markdown(f"#### :red[:material/error:] {plain(message)}", anchors=False)
        if cause is None:
            return
        st.markdown(plain(cause.hint) if cause.hint else HINTS[run.state])
        if cause.rule:
            st.markdown(f":gray[Step] **{plain(cause.rule)}**")
        if cause.log:
            st.code(printable(cause.log), language=None, wrap_lines=True, height=_height(cause))
        if cause.job and st.button(
            "Show this job and its log", key="failed-job", icon=":material/description:"
        ):
            st.session_state["tab"] = "Jobs"
            st.query_params["job"] = cause.job
            st.rerun()


def _height(cause: Cause) -> int | Literal["content"]:
    return 260 if cause.log.count("\n") > 12 else "content"
