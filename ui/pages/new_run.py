"""Start a run: choose a workflow, fill in its form, submit it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from services.errors import Invalid, NotFound, Problem, RundeskError
from services.models import File, Preview, Run, RunRequest, Workflow
from services.params import validation
from services.params.schema import flatten, is_file, is_sheet
from ui import context, errors
from ui.formatting import amount, plain, plural, sentences, title
from ui.forms import (
    config_files,
    drafts,
    file_fields,
    form_state,
    run_fields,
    schema_form,
    sheet_editor,
    shown,
)
from ui.forms.config_files import Replaced
from ui.forms.form_state import FieldProblem
from ui.forms.form_values import Form
from ui.parts import plan, submission, workflow_cards
from ui.streamlit_internals import Container

T = TypeVar("T")
MAX_NAMES = 3  # of changed settings and files beside the buttons


@dataclass(frozen=True)
class SubmittedForm:
    """The values of the whole form."""

    workflow: Workflow
    schema: dict[str, Any]
    form: Form
    options: dict[str, Any]  # the fields of a RunRequest other than the parameters
    replaced: Replaced  # files of the config folder

    def request(self) -> dict[str, Any]:
        """Return the fields of a RunRequest; registers edited files."""
        params = config_files.request_fields(self.workflow, self.form)
        fields = {"workflow": self.workflow.name, **params, **self.options}
        replacements = self.replaced.registered()
        return {**fields, "replacements": replacements} if replacements else fields

    @property
    def content(self) -> dict[str, Any]:
        """What the form holds, to be compared with what it held before."""
        params = config_files.request_fields(self.workflow, self.form)
        return {**params, **self.options, "replaced": vars(self.replaced)}

    def value(self, name: str) -> Any:
        """Return the value of a field, None if it is empty."""
        return self.options.get(name, self.form.values.get(name))


def page() -> None:
    chosen = st.query_params.get("workflow")
    # Streamlit sets the query of the next page, `id`, before it leaves this one: Back leads there.
    source = st.query_params.get("from") or st.query_params.get("id")
    run = _source(source) if source else None
    name = run.workflow if run else chosen
    if name:
        _form_page(name, run)
    else:
        _gallery()


def _gallery() -> None:
    st.title("New run", anchor=False)
    workflows = context.services().workflows.list(context.actor())
    if any(workflow.example for workflow in workflows):
        st.caption("Choose a workflow, or try one with its example data first.")
    else:
        st.caption("Choose a workflow.")
    if workflows:
        workflow_cards.by_category(workflow_cards.choose(workflows, "new"), "new")
    else:
        st.info(workflow_cards.NO_WORKFLOWS)


def _source(run_id: str) -> Run | None:
    """Return the run whose values the form starts with; None if it does not exist."""
    try:
        return errors.latest(
            f"run {run_id}", lambda: context.services().runs.get(context.actor(), run_id)
        )
    except NotFound:
        st.warning(
            "The run to copy was not found. Choose a workflow instead.", icon=":material/help:"
        )
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
        st.error("This workflow is not available on this server.", icon=":material/block:")
        for problem in workflow.problems:
            st.markdown(plain(problem))
        return
    if run is not None:
        st.info(f"The form has the values of the run **{plain(title(run))}**. You can change them.")
    _reset_for(workflow, run)
    _form(workflow, run)


def _reset_for(workflow: Workflow, run: Run | None) -> None:
    """Reset the form, from a draft if there is one, unless it is still the same form."""
    source = run.id if run else ""
    form = f"{workflow.name} {workflow.digest} {source}"
    if st.session_state.get("form") != form:
        form_state.forget()
        drafts.restore(workflow, source)
        config_files.begin(workflow, run)
        st.session_state["form"] = form
        st.session_state["problems"] = []
        st.session_state.pop("plan", None)


@st.fragment
@errors.guarded
def _form(workflow: Workflow, run: Run | None) -> None:
    problems: list[FieldProblem] = st.session_state.setdefault("problems", [])
    names = [_field(known.problem) for known in problems]
    schema = config_files.schema_of(workflow)
    unfold = any(schema_form.hidden(schema, name) for name in names)
    file_fields.load_files()
    drafts.show_notice(workflow)
    summary = st.container(key="summary")
    initial = run.params if run and schema is workflow.params_schema else {}
    fields, files, text = _tabs(workflow)
    with fields:
        form = schema_form.draw(schema, initial, unfold=unfold, reported=list(problems))
    with files:
        replaced = config_files.draw_files(workflow)
    with text:
        config_files.draw_text(workflow, form)
    with st.container(border=True, key="group-run"):
        options = run_fields.draw(run, form, unfold=not {"retries", "priority"}.isdisjoint(names))
    drafts.keep(workflow, run.id if run else "")
    values = SubmittedForm(workflow, schema, form, options, replaced)
    shown.draw()
    with st.container(key="send"):
        notice = st.container(key="send-notice")
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            start = context.button(
                "Start run", key="start", type="primary", icon=":material/play_arrow:"
            )
            preview = st.button(
                "Preview",
                key="preview",
                icon=":material/account_tree:",
                help="Shows the steps and the number of jobs of the run without starting it.",
            )
            st.caption(plain(_changes(workflow, form)), width="stretch")
    if start and (started := _attempt(values, lambda: submission.submit(**values.request()))):
        drafts.discard(workflow.name)
        context.go("run", id=started.id)
    if preview:
        _make_preview(values)
    _show_preview(values)
    _show_problems(values, summary, notice)


def _tabs(workflow: Workflow) -> tuple[Container, Container, Container]:
    """Return the places for the fields, the files of the config folder, and the configuration."""
    names = ["Settings", "Config files", "Configuration file"]
    if not workflow.config_files:
        fields, text = st.tabs([names[0], names[2]], key="form-tabs")
        return fields, st.container(key="no-config-files"), text
    fields, files, text = st.tabs(names, key="form-tabs")
    return fields, files, text


def _changes(workflow: Workflow, form: Form) -> str:
    """Return what the run will use: the changed settings, the files and the rows of sheets."""
    fields = flatten(workflow.params_schema, form.values)["properties"]
    defaults = validation.defaults(workflow.params_schema)
    changed, files, rows = [], [], []
    for name, value in form.values.items():
        schema = fields.get(name, {})
        if is_sheet(schema) and isinstance(value, list):
            rows.append(amount(len(value), "row"))
        elif is_file(schema) or is_file(schema.get("items") or {}):
            files += value if isinstance(value, list) else [value]
        elif _differs(value, defaults.get(name)):
            changed.append(form.labels.get(name, name))
    parts = [
        plural(
            len(changed),
            "1 setting changed: {names}",
            "{count} settings changed: {names}",
            names=_some(changed),
        )
        if changed
        else "Default settings"
    ]
    if files:
        parts.append(f"Files: {_some([_file_name(file) for file in files])}")
    return " · ".join([*parts, *rows])


def _differs(value: Any, default: Any) -> bool:
    """Whether a value is not the default; of an object only the given keys are compared."""
    if isinstance(value, dict) and isinstance(default, dict):
        return any(_differs(inner, default.get(key)) for key, inner in value.items())
    return bool(value != default)


def _some(names: list[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _file_name(value: str) -> str:
    offered: list[File] = st.session_state.get("offered", [])
    return next((file.name for file in offered if file.id == value), value)


def _attempt(values: SubmittedForm, call: Callable[[], T]) -> T | None:
    """Return the result of a call with the form; on an error, show it and return None."""
    try:
        if unreadable := [*shown.differences(values.form), *values.form.problems]:
            raise Invalid(problems=[*unreadable, *_other_problems(values, unreadable)])
        return call()
    except Invalid as error:
        problems = error.problems or (Problem("", error.text),)
        st.session_state["problems"] = [
            FieldProblem(problem, values.value(_field(problem))) for problem in problems
        ]
        st.session_state["refusals"] = st.session_state.get("refusals", 0) + 1
        st.rerun()
    except RundeskError as error:
        errors.show(error)
    return None


def _other_problems(values: SubmittedForm, known: list[Problem]) -> list[Problem]:
    """Return what the schema finds in the fields that have no problem yet."""
    fields = flatten(values.schema, values.form.values)["properties"]
    params = {
        name: "rows" if is_sheet(fields.get(name, {})) else value  # the services check rows
        for name, value in values.form.values.items()
    }
    try:
        validation.check(values.schema, params)
    except Invalid as error:
        named = {_field(problem) for problem in known}
        return [problem for problem in error.problems if _field(problem) not in named]
    return []


def _make_preview(values: SubmittedForm) -> None:
    """Plan the run with the values of the form, and keep the plan."""
    services, actor = context.services(), context.actor()

    def plan_run() -> Preview:
        request = submission.validated(RunRequest, **values.request())
        with st.spinner(plan.PLANNING):
            return services.previews.preview(actor, request)

    if planned := _attempt(values, plan_run):
        st.session_state["plan"] = (values.content, planned)


def _show_preview(values: SubmittedForm) -> None:
    """Show the plan until the values of the form change."""
    request, planned = st.session_state.get("plan", (None, None))
    if planned is not None and request == values.content:
        with st.container(border=True, key="plan"):
            st.subheader("Preview", anchor=False)
            plan.draw(planned)


def _show_problems(values: SubmittedForm, summary: Container, notice: Container) -> None:
    """Show each problem under its field, and a summary above the form and beside the buttons."""
    problems: list[FieldProblem] = st.session_state["problems"]
    form = values.form
    left = [known for known in problems if values.value(_field(known.problem)) == known.value]
    order = list(form.slots)
    left.sort(key=lambda known: order.index(name) if (name := _slot(known, form)) in order else -1)
    st.session_state["problems"] = left
    if not left:
        return
    names = [name for known in left if (name := _slot(known, form))]
    titles = dict.fromkeys(form.labels.get(name, name) for name in names)
    text = _summary(len(left), plain(", ".join(titles)))
    with summary:
        st.error(text, icon=":material/error:")
    with notice:
        st.markdown(f"**:red[{text}]**")
        _point_to(names[0] if names else "", form)
    for known in left:
        problem, name = known.problem, _slot(known, form)
        if name in form.tables and problem.field != f"params.{name}":
            continue  # the table shows the problems of its cells
        text = plain(sentences(problem.message, problem.hint))
        if slot := form.slots.get(name):
            slot.markdown(f":red[:material/error: {text}]")
            continue
        with summary:
            field = f"**{plain(problem.field)}** " if problem.field else ""
            st.markdown(f":red[:material/error: {field}{text}]")


def _point_to(path: str, form: Form) -> None:
    """Make the browser scroll to a field and focus it, once per refused submission."""
    keys = {field: key for key, field in form.keys.items()}
    key = keys.get(path, f"problems-{path}")
    if path in form.tables:
        key = f"{sheet_editor.GRID}{key}"
    target = shown.css_class(key) if path else "st-key-summary"
    st.html(f'<span data-problem="{target}" data-refusal="{st.session_state["refusals"]}"></span>')


def _summary(count: int, fields: str) -> str:
    """Return the sentence above the form; `fields` are the escaped titles of the fields to fix."""
    if not fields:
        return plural(
            count, "Fix 1 problem before starting.", "Fix {count} problems before starting."
        )
    return plural(
        count,
        "Fix 1 problem before starting: {fields}.",
        "Fix {count} problems before starting: {fields}.",
        fields=fields,
    )


def _slot(known: FieldProblem, form: Form) -> str:
    """Return the path of the innermost drawn field that a problem belongs to, "" if none is."""
    path = known.problem.field.removeprefix("params.")
    while path and path not in form.slots:
        path = path.rpartition(".")[0]
    return path


def _field(problem: Problem) -> str:
    """Return the field of the form that a problem belongs to: "params.reads.0" → "reads"."""
    parts = problem.field.split(".")
    return parts[1] if parts[0] == "params" and len(parts) > 1 else parts[0]
