"""The actions on runs, and the dialogs that confirm them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import streamlit as st

from services.errors import Invalid, RundeskError
from services.models import Actor, Run, RunChanges, State
from ui import context, errors
from ui.formatting import plain, plural, sentences, title
from ui.parts import submission

Action = Callable[[Actor, str], object]
MAX_NAMED_RUNS = 5  # in a dialog; more are counted
MORE = {
    "rename": ":material/edit: Rename or tag",
    "share": ":material/link: Share",
    "delete": ":material/delete: Delete",
}


class Outcome(NamedTuple):
    """Sentences about an action on several runs, each for one run and for more."""

    done: tuple[str, str]
    refused: tuple[str, str]


CANCELED = Outcome(
    done=("1 run was canceled.", "{count} runs were canceled."),
    refused=("1 run could not be canceled:", "{count} runs could not be canceled:"),
)
DELETED = Outcome(
    done=("1 run was deleted.", "{count} runs were deleted."),
    refused=("1 run could not be deleted:", "{count} runs could not be deleted:"),
)


def buttons(run: Run) -> None:
    """Draw the actions on an open run: the main ones as buttons, the others in a menu."""
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
        help="Opens the form with the same files and parameters. You can change them.",
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
    """Do an action on a run, for a callback; on an error, show it on the next page."""
    try:
        action(context.actor(), run.id)
    except RundeskError as error:
        context.flash(errors.markdown(error))
    context.services().views.forget()


def act_on_all(action: Action, runs: Sequence[Run], outcome: Outcome) -> None:
    """Do an action on each of several runs, for a callback; show the outcome on the next page."""
    refused: list[str] = []
    for run in runs:
        try:
            action(context.actor(), run.id)
        except RundeskError as error:
            refused.append(f"**{plain(title(run))}**: {errors.markdown(error)}")
    context.services().views.forget()
    done = len(runs) - len(refused)
    lines = [plural(done, *outcome.done)] if done else []
    if refused:
        lines.append(plural(len(refused), *outcome.refused))
        lines += refused[:MAX_NAMED_RUNS] + (["…"] if len(refused) > MAX_NAMED_RUNS else [])
    context.flash("  \n".join(lines))


def names(runs: Sequence[Run]) -> str:
    """Return the names of the first runs as a list in Markdown."""
    lines = [f"- {plain(title(run))}" for run in runs[:MAX_NAMED_RUNS]]
    if len(runs) > MAX_NAMED_RUNS:
        lines.append(f"- and {len(runs) - MAX_NAMED_RUNS:,} more")
    return "\n".join(lines)


def choice(yes: str, key: str, no: str = "Cancel", **button: Any) -> bool:
    """Draw the two buttons of a dialog; return whether `yes` was clicked."""
    left, right = st.columns(2)
    agreed: bool = left.button(yes, type="primary", width="stretch", key=f"{key}-yes", **button)
    if right.button(no, width="stretch", key=f"{key}-no"):
        st.rerun()
    return agreed


@st.dialog("Cancel this run?", icon=":material/stop_circle:")
def _confirm_cancel(run: Run) -> None:
    st.write("Running jobs are stopped. Finished jobs are kept, and you can resume the run later.")
    action = context.services().runs.cancel
    if choice("Cancel the run", "cancel", "Keep running", on_click=act, args=(action, run)):
        st.rerun()


@st.dialog("Resume this run?", icon=":material/resume:")
def _confirm_resume(run: Run) -> None:
    done, total = run.progress.done, run.progress.total
    if done:
        st.write(
            f"Finished jobs are kept ({done:,} of {total:,}). The other jobs start again with the"
            " same files and parameters."
        )
    else:
        st.write(
            "No job has finished yet. The run starts from the beginning with the same files and"
            " parameters."
        )
    if run.state is State.EXECUTOR_ERROR:
        st.write(
            "The same step will fail again unless the cause was fixed. To change files or"
            " parameters, use **Run again** instead."
        )
    action = context.services().runs.resume
    if choice("Resume the run", "resume", on_click=act, args=(action, run)):
        st.rerun()


@st.dialog("Delete this run?", icon=":material/delete:")
def confirm_delete(run: Run) -> None:
    """Ask, then delete a run and open the list of runs."""
    st.write(
        f"This permanently deletes the run **{plain(title(run))}** with its results and logs."
        " Uploaded files are kept."
    )
    if choice("Delete the run", "delete"):
        try:
            context.services().runs.delete(context.actor(), run.id)
        except RundeskError as error:
            errors.show(error)
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
        placeholder="Type a tag and press Enter",
        key="new-tags",
    )
    if not choice("Save", "rename"):
        return
    try:
        changes = submission.validated(RunChanges, name=name, tags=tags)
        context.services().runs.update(context.actor(), run.id, changes)
    except Invalid as error:
        st.error(plain(sentences(*(problem.message for problem in error.problems))))
    except RundeskError as error:
        errors.show(error)
    else:
        context.services().views.forget()
        st.rerun()


@st.dialog("Share this run", icon=":material/link:")
def _share(run: Run) -> None:
    settings = context.services().settings
    st.code(f"{settings.public_portal_url}/run?id={run.id}", language=None, wrap_lines=True)
    if settings.sign_in:
        st.caption(f"{plain(run.owner)} and administrators can open this link.")
    else:
        st.caption("Everyone with access to this server can open this link.")
