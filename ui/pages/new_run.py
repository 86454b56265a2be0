"""Start a run: choose a workflow, fill its form, submit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from services.errors import Invalid, NotFound, Problem, RundeskError
from services.models import Preview, Run, RunRequest, Workflow
from ui import context, errors
from ui.formatting import amount, plain, title
from ui.forms import file_fields, form_state, run_fields, schema_form
from ui.parts import plan, submission, workflow_cards

T = TypeVar("T")


@dataclass(frozen=True)
class Wrong:
    """A problem, and what its field held then: once that is changed, the problem is gone."""

    problem: Problem
    value: Any


@dataclass(frozen=True)
class Held:
    """What the whole form holds."""

    workflow: str
    form: schema_form.Form
    about: dict[str, Any]  # fields of a RunRequest beside the parameters

    def request(self) -> dict[str, Any]:
        """The fields of a RunRequest."""
        return {"workflow": self.workflow, "params": self.form.values, **self.about}

    def value(self, name: str) -> Any:
        """What a field holds."""
        return self.about.get(name, self.form.values.get(name))


def page() -> None:
    wanted, source = st.query_params.get("workflow"), st.query_params.get("from")
    run = _source(source) if source else None
    name = run.workflow if run else wanted
    if name:
        _form_page(name, run)
    else:
        _gallery()


def _gallery() -> None:
    st.title("New run", anchor=False)
    st.caption("Choose what to do. Every workflow can be tried with its own example data first.")
    workflows = context.services().workflows.list(context.actor())
    if workflows:
        workflow_cards.by_category(workflows, "new")
    else:
        st.info("No workflow is installed yet. Put one into a folder of RUNDESK_WORKFLOWS.")


def _source(run_id: str) -> Run | None:
    """The run to begin from."""
    try:
        return errors.latest(
            f"run {run_id}", lambda: context.services().runs.get(context.actor(), run_id)
        )
    except NotFound:
        st.warning("The run to begin from is not there (any more).", icon=":material/help:")
        return None


def _form_page(name: str, run: Run | None) -> None:
    if st.button("All workflows", key="back", icon=":material/arrow_back:", type="tertiary"):
        context.go("new")
    workflow = context.services().workflows.get(context.actor(), name)
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.title(plain(workflow.title), anchor=False, width="content")
        st.space("stretch")
        submission.example_button(workflow, "form")
    st.caption(plain(f"{workflow.summary}  ·  version {workflow.version or workflow.digest[:12]}"))
    if not workflow.available:
        st.error("This workflow cannot run on this desk.", icon=":material/block:")
        for problem in workflow.problems:
            st.markdown(plain(problem))
        return
    if run is not None:
        st.info(f"Filled in from **{plain(title(run))}**. Change what you like.")
    _begin(f"{workflow.name} {workflow.digest} {run.id if run else ''}")
    _form(workflow, run)


def _begin(form: str) -> None:
    """A form of another workflow or run starts from its own values."""
    if st.session_state.get("form") != form:
        form_state.forget()
        st.session_state["form"] = form
        st.session_state["wrong"] = []
        st.session_state.pop("plan", None)


@st.fragment
@errors.guarded
def _form(workflow: Workflow, run: Run | None) -> None:
    wrong: list[Wrong] = st.session_state.setdefault("wrong", [])
    names = [_field(one.problem) for one in wrong]
    unfold = any(schema_form.hidden(workflow.params_schema, name) for name in names)
    file_fields.load_files()
    summary = st.container(key="summary")
    form = schema_form.draw(workflow.params_schema, run.params if run else {}, unfold=unfold)
    with st.container(border=True, key="group-run"):
        about = run_fields.draw(run, form, unfold=not {"retries", "priority"}.isdisjoint(names))
    with st.container(horizontal=True, gap="small", key="send"):
        start = context.button(
            "Start run", key="start", type="primary", icon=":material/play_arrow:"
        )
        look = st.button(
            "Preview",
            key="preview",
            icon=":material/account_tree:",
            help="Which steps it would take, and how many jobs. Nothing is started.",
        )
    held = Held(workflow.name, form, about)
    if start and (submitted := _tried(held, lambda: submission.submit(**held.request()))):
        context.go("run", id=submitted.id)
    if look:
        _preview(held)
    _show_preview(held)
    with summary:
        _show_problems(held)


def _tried(held: Held, call: Callable[[], T]) -> T | None:
    """What a call with the form answers, or None: then its problems are kept for the fields."""
    try:
        if held.form.problems:
            raise Invalid(problems=held.form.problems)
        return call()
    except Invalid as error:
        problems = error.problems or (Problem("", error.message, error.hint),)
        st.session_state["wrong"] = [Wrong(one, held.value(_field(one))) for one in problems]
        st.rerun()
    except RundeskError as error:
        errors.tell(error)
    return None


def _preview(held: Held) -> None:
    """Have the run planned as the form stands, and keep the plan."""
    services, actor = context.services(), context.actor()

    def planned() -> Preview:
        request = submission.fitted(RunRequest, **held.request())
        with st.spinner("Snakemake makes its plan…"):
            return services.previews.preview(actor, request)

    if found := _tried(held, planned):
        st.session_state["plan"] = (held.request(), found)


def _show_preview(held: Held) -> None:
    """The plan, as long as the form is what was planned."""
    planned, found = st.session_state.get("plan", (None, None))
    if found is not None and planned == held.request():
        with st.container(border=True, key="plan"):
            st.subheader("Preview", anchor=False)
            plan.draw(found)


def _show_problems(held: Held) -> None:
    """Each problem under its field; a line on top that says so, and those that have no field."""
    wrong: list[Wrong] = st.session_state["wrong"]
    form = held.form
    left = [one for one in wrong if held.value(_field(one.problem)) == one.value]
    order = list(form.slots)
    left.sort(key=lambda one: order.index(name) if (name := _slot(one, form)) in order else -1)
    st.session_state["wrong"] = left
    if not left:
        return
    titles = [form.labels.get(name, name) for one in left if (name := _slot(one, form))]
    st.error(
        f"{amount(len(left), 'thing')} to mend before this can start"
        + (f": {plain(', '.join(dict.fromkeys(titles)))}." if titles else "."),
        icon=":material/error:",
    )
    for one in left:
        name = _slot(one, form)
        if name in form.tables and one.problem.field != f"params.{name}":
            continue  # the table tells what is wrong with its cells, as they are now
        slot = form.slots.get(name)
        text = plain(f"{one.problem.message} {one.problem.hint}".strip())
        where = "" if slot else plain(f"{one.problem.field}: " if one.problem.field else "")
        (slot or st).markdown(f":red[:material/error: {where}{text}]")


def _slot(wrong: Wrong, form: schema_form.Form) -> str:
    """The innermost field of the form that a problem belongs to; empty: none is drawn."""
    path = wrong.problem.field.removeprefix("params.")
    while path and path not in form.slots:
        path = path.rpartition(".")[0]
    return path


def _field(problem: Problem) -> str:
    """The field of the form that a problem belongs to: "params.reads.0" → "reads"."""
    parts = problem.field.split(".")
    return parts[1] if parts[0] == "params" and len(parts) > 1 else parts[0]
