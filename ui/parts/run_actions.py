"""What can be done with a run, and the dialogs that ask before it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from services.errors import Invalid, RundeskError
from services.models import Actor, Run, RunChanges, State
from ui import context, errors
from ui.formatting import amount, plain, title
from ui.parts import submission

Action = Callable[[Actor, str], object]
NAMED = 5  # runs that a dialog names; more are counted
MORE = {
    "rename": ":material/edit: Rename or tag",
    "share": ":material/link: Share",
    "delete": ":material/delete: Delete",
}


def buttons(run: Run) -> None:
    """The actions of an open run: the likely ones as buttons, the others in a menu."""
    if not run.state.final:
        stopping = run.state is State.CANCELING
        if context.button("Cancel", key="cancel", icon=":material/stop_circle:", disabled=stopping):
            _confirm_cancel(run)
    elif run.state is State.COMPLETE:
        if st.button("Results", key="see-results", icon=":material/insights:", type="primary"):
            st.session_state["tab"] = "Results"
    elif context.button("Resume", key="resume", icon=":material/resume:"):
        _confirm_resume(run)
    if context.button(
        "Run again",
        key="again",
        icon=":material/replay:",
        help="Opens the form filled in with the same files and parameters. Change what you like.",
    ):
        context.go("new", **{"from": run.id})
    offered = ["share"]
    if context.may_change():
        offered = [name for name in MORE if name != "delete" or run.state.final]
    chosen = st.menu_button(
        "More", offered, key="more", icon=":material/more_horiz:", format_func=MORE.__getitem__
    )
    if chosen:
        {"rename": _rename, "share": _share, "delete": confirm_delete}[chosen](run)


def act(action: Action, run: Run) -> None:
    """Do something with a run before the page is drawn again; if it is refused, say why."""
    try:
        action(context.actor(), run.id)
    except RundeskError as error:
        context.flash(errors.words(error))
    context.services().views.forget()


def act_on_all(action: Action, runs: Sequence[Run], done: str) -> None:
    """Do something with each of several runs, and say what became of it: "3 runs deleted"."""
    refused: list[str] = []
    for run in runs:
        try:
            action(context.actor(), run.id)
        except RundeskError as error:
            refused.append(f"**{plain(title(run))}**: {errors.words(error)}")
    context.services().views.forget()
    worked = len(runs) - len(refused)
    said = [f"{amount(worked, 'run')} {done}."] if worked else []
    if refused:
        said.append(f"{amount(len(refused), 'run')} not {done}:")
        said += refused[:NAMED] + (["…"] if len(refused) > NAMED else [])
    context.flash("  \n".join(said))


def names(runs: Sequence[Run]) -> str:
    """Which runs a dialog is about, as a list in Markdown."""
    lines = [f"- {plain(title(run))}" for run in runs[:NAMED]]
    if len(runs) > NAMED:
        lines.append(f"- and {len(runs) - NAMED} more")
    return "\n".join(lines)


def choice(yes: str, key: str, no: str = "Keep it", **button: Any) -> bool:
    """The two buttons below a question; whether the first one was pressed."""
    left, right = st.columns(2)
    agreed = left.button(yes, type="primary", width="stretch", key=f"{key}-yes", **button)
    if right.button(no, width="stretch", key=f"{key}-no"):
        st.rerun()
    return agreed


@st.dialog("Cancel this run?", icon=":material/stop_circle:")
def _confirm_cancel(run: Run) -> None:
    st.write(
        "Jobs that are running now are stopped. Finished ones stay, and the run can be resumed."
    )
    action = context.services().runs.cancel
    if choice("Cancel the run", "cancel", "Keep it running", on_click=act, args=(action, run)):
        st.rerun()


@st.dialog("Resume this run?", icon=":material/resume:")
def _confirm_resume(run: Run) -> None:
    done, total = run.progress.done, run.progress.total
    if done:
        st.write(
            f"{done} of {amount(total, 'job')} are done and kept. The others start again, with the"
            " same files and parameters."
        )
    else:
        st.write("No job was done yet: it starts from the beginning, with the same files.")
    if run.state is State.EXECUTOR_ERROR:
        st.write(
            "What failed will fail again unless its reason is gone. To change files or"
            " parameters, use **Run again** instead."
        )
    action = context.services().runs.resume
    if choice("Resume the run", "resume", "Leave it", on_click=act, args=(action, run)):
        st.rerun()


@st.dialog("Delete this run?", icon=":material/delete:")
def confirm_delete(run: Run) -> None:
    st.write(
        f"**{plain(title(run))}**, its results and its logs are gone for good."
        " The files you uploaded for it stay."
    )
    if choice("Delete the run", "delete"):
        try:
            context.services().runs.delete(context.actor(), run.id)
        except RundeskError as error:
            errors.tell(error)
        else:
            context.services().views.forget()
            context.flash(f"Deleted {plain(title(run))}.")
            context.go("runs")


@st.dialog("Rename or tag", icon=":material/edit:")
def _rename(run: Run) -> None:
    name = st.text_input("Name", run.name, max_chars=200, key="new-name")
    tags = st.multiselect(
        "Tags",
        run.tags,
        default=run.tags,
        max_selections=20,
        accept_new_options=True,
        placeholder="Type a tag, then Enter",
        key="new-tags",
    )
    if not choice("Save", "rename", "Cancel"):
        return
    try:
        changes = submission.fitted(RunChanges, name=name, tags=tags)
        context.services().runs.update(context.actor(), run.id, changes)
    except Invalid as error:
        st.error(plain(" ".join(problem.message for problem in error.problems)))
    except RundeskError as error:
        errors.tell(error)
    else:
        context.services().views.forget()
        st.rerun()


@st.dialog("Share this run", icon=":material/link:")
def _share(run: Run) -> None:
    settings = context.services().settings
    st.code(f"{settings.public_portal_url}/run?id={run.id}", language=None, wrap_lines=True)
    if settings.sign_in:
        st.caption(f"It opens for {plain(run.owner)} and for administrators.")
    else:
        st.caption("It opens for everybody who can open this desk.")
