"""The jobs of a run, and the details of one of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import streamlit as st

from services.errors import NotFound
from services.logs import tail
from services.models import Job, JobFilter, Run, State, Step
from services.runs.views import RunView
from ui import context, errors
from ui.formatting import (
    LOOKS,
    amount,
    badge,
    chip,
    chip_column,
    duration,
    elapsed,
    plain,
    printable,
    table,
)
from ui.parts import charts, keyboard_list

MAX_UNFILTERED_JOBS = 12  # more have filters and a table that scrolls
PAGE_SIZE = 200  # jobs
STATES = {  # label of a filter → states
    "Running": [State.RUNNING],
    "Done": [State.COMPLETE],
    "Failed": [State.EXECUTOR_ERROR],
    "Stopped": [State.CANCELED, State.SYSTEM_ERROR],
}


def draw(view: RunView) -> None:
    """Draw the jobs of a run, and the job that the URL names."""
    run = view.run
    if not any(_started(step) for step in view.graph.steps):
        st.caption("No jobs were started." if run.state.final else "No jobs have started yet.")
        return
    filters = _filters(view)
    page = errors.latest(
        f"jobs {run.id} {filters.model_dump_json()}",
        lambda: context.services().views.jobs(context.actor(), run.id, filters),
    )
    if page.jobs:
        _table(page.jobs)
        labels = {job.id: f"{charts.label(job)}, {LOOKS[job.state].word}" for job in page.jobs}
        if job_id := keyboard_list.draw("Show a job", labels, "jobs"):
            st.query_params["job"] = job_id
    else:
        st.caption("No jobs match the filter.")
    _pager(page.total)
    _selected(run)


def _started(step: Step) -> int:
    """Return how many jobs of a step have started; the filters find only these."""
    return step.done + step.failed + step.running


def _filters(view: RunView) -> JobFilter:
    """Draw the filters, which the URL keeps, unless there are few jobs; return them."""
    steps = [step for step in view.graph.steps if _started(step)]
    if sum(map(_started, steps)) <= MAX_UNFILTERED_JOBS:
        return JobFilter(limit=PAGE_SIZE)
    common: dict[str, Any] = {
        "bind": "query-params",
        "label_visibility": "collapsed",
        "on_change": _show_first,
    }
    with st.container(horizontal=True, vertical_alignment="bottom", key="job-filters"):
        states = st.pills("State", list(STATES), selection_mode="multi", key="jobstate", **common)
        st.space("stretch")
        rule = st.selectbox(
            "Step",
            [step.rule for step in steps],
            index=None,
            placeholder="Any step",
            key="rule",
            width=260,
            **common,
        )
    return JobFilter(
        state=[state for name in states for state in STATES[name]],
        rule=rule,
        skip=PAGE_SIZE * (st.session_state.get("jobpage", 1) - 1),
        limit=PAGE_SIZE,
    )


def _show_first() -> None:
    """Go to the first page."""
    st.session_state.pop("jobpage", None)


def _pager(total: int) -> None:
    """Draw the number of jobs, and the choice of a page if there are several."""
    with st.container(horizontal=True, vertical_alignment="center", key="job-pages"):
        st.caption(
            f"{amount(total, 'job')}. Click a job to see its log, command and files.",
            width="content",
        )
        if total > PAGE_SIZE:
            st.space("stretch")
            st.pagination(math.ceil(total / PAGE_SIZE), key="jobpage")


def _selected(run: Run) -> None:
    """Draw the job that the URL names."""
    if job_id := st.query_params.get("job"):
        with contextlib.suppress(NotFound):  # of an earlier attempt, or of another run
            services, actor = context.services(), context.actor()
            _detail(run, errors.latest(job_id, lambda: services.runs.job(actor, run.id, job_id)))


def _table(jobs: Sequence[Job]) -> None:
    now = datetime.now(UTC)
    rows = [_row(job, now) for job in jobs]
    retried = any(job.tries > 1 for job in jobs)
    st.session_state["listed-jobs"] = [job.id for job in jobs]
    st.dataframe(
        table(rows),
        key="jobs",
        hide_index=True,
        on_select=_select,
        selection_mode="single-cell",
        height="content" if len(rows) <= MAX_UNFILTERED_JOBS else 460,
        row_height=36,
        alt="Jobs in the order they started",
        column_order=[name for name in rows[0] if retried or name != "Tries"],
        column_config={
            "State": chip_column(),
            "Job": st.column_config.TextColumn(width=60),
            "Step": st.column_config.TextColumn(width=180),
            "Wildcards": st.column_config.TextColumn(width=260),
            "Time": st.column_config.TextColumn(width=100),
            "Started": st.column_config.DatetimeColumn(
                format="HH:mm:ss", timezone=st.context.timezone, width=90
            ),
            "Threads": st.column_config.NumberColumn(width=70),
            "Tries": st.column_config.NumberColumn(width=60),
        },
    )


def _row(job: Job, now: datetime) -> dict[str, Any]:
    return {
        "State": chip(job.state),
        "Job": job.id.partition("-")[2],
        "Step": job.rule,
        "Wildcards": ", ".join(f"{key}={value}" for key, value in job.wildcards.items()),
        "Time": duration(elapsed(job, now)),
        "Started": job.started,
        "Threads": job.threads,
        "Tries": job.tries,
    }


def _select() -> None:
    """Put the clicked job into the URL."""
    cells = st.session_state["jobs"]["selection"]["cells"]
    listed = st.session_state.get("listed-jobs", [])
    if cells and cells[0][0] < len(listed):
        st.query_params["job"] = listed[cells[0][0]]


def _detail(run: Run, job: Job) -> None:
    with st.container(border=True, key="job"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"#### {plain(job.rule)}", anchors=False, width="content")
            st.markdown(badge(job.state), width="content")
            st.space("stretch")
            _log_link(run, job)
        facts = [f"{plain(name)} = {plain(value)}" for name, value in job.wildcards.items()]
        facts.append(duration(elapsed(job, datetime.now(UTC))))
        facts.append(amount(job.threads, "thread"))
        facts += [f"{plain(name)} {plain(str(value))}" for name, value in job.resources.items()]
        st.caption("  ·  ".join(facts))
        if job.reason:
            st.caption(f"Reason: {plain(job.reason)}")
        _log(run, job)
        if job.command:
            st.markdown("**Command**")
            st.code(printable(job.command.strip()), language="bash", wrap_lines=True)
        left, right = st.columns(2, gap="medium")
        _files(left, "Input files", job.input)
        _files(right, "Output files", job.output)


def _log(run: Run, job: Job) -> None:
    st.markdown("**Log**")
    try:
        text = tail(context.services().runs.job_log(context.actor(), run.id, job.id))
    except NotFound as error:
        st.caption(errors.markdown(error))
        return
    if not text.strip():
        st.caption("The log is empty.")
        return
    height: int | Literal["content"] = 320 if text.count("\n") > 16 else "content"
    st.code(printable(text), language=None, wrap_lines=True, height=height)


def _log_link(run: Run, job: Job) -> None:
    if job.log:
        url = context.link(f"/api/v1/runs/{run.id}/jobs/{job.id}/log")
        st.link_button("Full log", url, icon=":material/open_in_new:", type="tertiary")


def _files(place: st.delta_generator.DeltaGenerator, title: str, paths: Sequence[str]) -> None:
    with place:
        st.markdown(f"**{title}**")
        st.code(printable("\n".join(paths)) or "–", language=None, wrap_lines=True)
