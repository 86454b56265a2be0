"""Start a run: choose a workflow, fill its form, submit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from services.errors import Invalid, NotFound, Problem, RundeskError
from services.models import Run, Workflow
from ui import cards, desk, errors, schema_form, submission, typed, uploads
from ui.look import amount, plain, title

NAME, TAGS = "run-name", "run-tags"  # keys


@dataclass(frozen=True)
class Wrong:
    """A problem, and what its field held then: once that is changed, the problem is gone."""

    problem: Problem
    value: Any


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
    workflows = desk.services().workflows.list(desk.actor())
    if workflows:
        cards.by_category(workflows, "new")
    else:
        st.info("No workflow is installed yet. Put one into a folder of RUNDESK_WORKFLOWS.")


def _source(run_id: str) -> Run | None:
    """The run to begin from."""
    try:
        return errors.latest(
            f"run {run_id}", lambda: desk.services().runs.get(desk.actor(), run_id)
        )
    except NotFound:
        st.warning("The run to begin from is not there (any more).", icon=":material/help:")
        return None


def _form_page(name: str, run: Run | None) -> None:
    if st.button("All workflows", key="back", icon=":material/arrow_back:", type="tertiary"):
        desk.go("new")
    workflow = desk.services().workflows.get(desk.actor(), name)
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
        typed.forget()
        st.session_state["form"] = form
        st.session_state["wrong"] = []


@st.fragment
@errors.guarded
def _form(workflow: Workflow, run: Run | None) -> None:
    wrong: list[Wrong] = st.session_state.setdefault("wrong", [])
    names = [_field(one.problem) for one in wrong]
    unfold = any(schema_form.hidden(workflow.params_schema, name) for name in names)
    uploads.look()
    summary = st.container(key="summary")
    form = schema_form.draw(workflow.params_schema, run.params if run else {}, unfold=unfold)
    with st.container(border=True, key="group-run"):
        name, tags = _about(run, form)
    if st.button("Start run", key="start", type="primary", icon=":material/play_arrow:"):
        _submit(workflow, form, name, tags)
    with summary:
        _show_problems(workflow, form, {**form.values, "name": name, "tags": tags})


def _about(run: Run | None, form: schema_form.Form) -> tuple[str, list[str]]:
    """Name and tags of the run."""
    st.subheader("This run", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        typed.begin(NAME, run.name if run else "")
        name = st.text_input(
            "Name",
            key=NAME,
            max_chars=200,
            placeholder="What is this run for?",
        )
        typed.keep(NAME)
        form.slots["name"] = st.container(key="problems-name")
    with right:
        typed.begin(TAGS, list(run.tags) if run else [])
        tags = st.multiselect(
            "Tags",
            options=st.session_state[TAGS],
            key=TAGS,
            max_selections=20,
            accept_new_options=True,
            placeholder="Type a tag, then Enter",
        )
        typed.keep(TAGS)
        form.slots["tags"] = st.container(key="problems-tags")
    return name, tags


def _submit(workflow: Workflow, form: schema_form.Form, name: str, tags: list[str]) -> None:
    """Submit the form and open the run, or keep what is wrong and draw the form again."""
    try:
        if form.problems:
            raise Invalid(problems=form.problems)
        run = submission.submit(workflow=workflow.name, params=form.values, name=name, tags=tags)
    except Invalid as error:
        held = {**form.values, "name": name, "tags": tags}
        problems = error.problems or (Problem("", error.message, error.hint),)
        st.session_state["wrong"] = [Wrong(one, held.get(_field(one))) for one in problems]
        st.rerun()
    except RundeskError as error:
        errors.tell(error)
    else:
        desk.go("run", id=run.id)


def _show_problems(workflow: Workflow, form: schema_form.Form, held: dict[str, Any]) -> None:
    """Each problem under its field; a line on top that says so, and those that have no field."""
    wrong: list[Wrong] = st.session_state["wrong"]
    left = [one for one in wrong if held.get(_field(one.problem)) == one.value]
    order = list(form.slots)
    left.sort(key=lambda one: order.index(name) if (name := _field(one.problem)) in order else -1)
    st.session_state["wrong"] = left
    if not left:
        return
    titles = [
        schema_form.label_of(workflow.params_schema, _field(one.problem))
        for one in left
        if _field(one.problem) in form.slots
    ]
    st.error(
        f"{amount(len(left), 'thing')} to mend before this can start"
        + (f": {plain(', '.join(dict.fromkeys(titles)))}." if titles else "."),
        icon=":material/error:",
    )
    for one in left:
        slot = form.slots.get(_field(one.problem))
        text = plain(f"{one.problem.message} {one.problem.hint}".strip())
        where = "" if slot else plain(f"{one.problem.field}: " if one.problem.field else "")
        (slot or st).markdown(f":red[:material/error: {where}{text}]")


def _field(problem: Problem) -> str:
    """The field of the form that a problem belongs to: "params.reads.0" → "reads"."""
    parts = problem.field.split(".")
    return parts[1] if parts[0] == "params" and len(parts) > 1 else parts[0]
