"""GA4GH WES 1.1 over the same services, as documented in docs/specs/wes-1.1.0.yaml.

Responses have no envelope, as the standard requires. Every error below the prefix, including
unknown URLs, is an ErrorResponse.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from flask import Blueprint, Response, request
from pydantic import TypeAdapter, ValidationError

from routes.http import field_formats, forms, openapi, rate_limits, requests
from routes.http.context import current_actor, services
from routes.wes import run_request, schemas
from routes.wes.schemas import Json
from services.errors import Conflict, Forbidden, Invalid, Message, NotFound, Text
from services.models import (
    Actor,
    JobId,
    RunFilter,
    RunId,
    RunRequest,
    Workflow,
)

wes = Blueprint("wes", __name__, url_prefix=schemas.PREFIX)

ATTACHMENT = "workflow_attachment"
PAGING = frozenset({"page_size", "page_token"})
RUN_ID: TypeAdapter[str] = TypeAdapter(RunId)
JOB_ID: TypeAdapter[str] = TypeAdapter(JobId)

UNKNOWN_WORKFLOW = Message(
    "not_found",
    "Workflow not found.",
    hint="Send the name or the URL of a workflow of this server: {names}.",
)
NO_WORKFLOWS = Message("not_found", "Workflow not found.", hint="This server has no workflows.")
UNAVAILABLE = Message(
    "invalid_workflow", "This workflow cannot run on this server.", hint="{problems}"
)
SAME_FILENAME = Message("not_unique", "Two attachments have the same filename.")


@wes.get("/service-info")
def get_service_info() -> Json:
    """GetServiceInfo; it counts the runs that the user may see."""
    counts = services().runs.counts(current_actor())
    return schemas.service_info(services().settings, openapi.version(), counts)


@wes.get("/runs")
def list_runs() -> Json:
    """ListRuns, newest first. Any string is a token; nothing follows an unknown one."""
    actor = current_actor()
    size, token = _paging()
    try:
        query = requests.validate(RunFilter, {"after": token, "limit": size}, "")
        page = services().runs.list(actor, query)
    except Invalid:
        return {"runs": [], "next_page_token": ""}
    return {
        "runs": [schemas.run_summary(run) for run in page.items],
        "next_page_token": page.next or "",
    }


@wes.post("/runs")
def run_workflow() -> Json:
    """RunWorkflow, for a workflow of the catalogue; attachments become registered files."""
    actor = current_actor()
    rate_limits.spend("submit", actor)
    if not requests.has_body() and not request.mimetype:
        _workflow(actor, "")
    with forms.reading_form(files=[ATTACHMENT]) as form:
        workflow = _workflow(actor, form.fields.get("workflow_url", ""))
        run_request.check_request(form.fields)
        params = run_request.json_object(form.fields, "workflow_params")
        submission = {
            "workflow": workflow.name,
            "params": params,
            "tags": run_request.run_tags(form.fields),
        }
        requests.validate(RunRequest, submission, "")
        attachments = _by_name(form.files)
        # nothing is stored before everything is validated
        run_request.check_params(workflow.params_schema, params, attachments)
        file_ids = {
            name: services().files.register(actor, name.rpartition("/")[2], file.stream).id
            for name, file in attachments.items()
        }
    submission["params"] = run_request.with_files(
        workflow.params_schema, params, file_ids, _base_urls()
    )
    run = services().runs.submit(actor, RunRequest.model_validate(submission))
    return {"run_id": run.id}


@wes.get("/runs/<run_id>")
def get_run_log(run_id: str) -> Json:
    """GetRunLog."""
    actor, run_id = current_actor(), _checked(RUN_ID, run_id, field_formats.RUN_ID())
    run = services().runs.get(actor, run_id)
    results = services().results.list(actor, run_id)
    return schemas.run_log(run, results, services().settings.public_api_url)


@wes.get("/runs/<run_id>/status")
def get_run_status(run_id: str) -> Json:
    """GetRunStatus."""
    run = services().runs.get(current_actor(), _checked(RUN_ID, run_id, field_formats.RUN_ID()))
    return {"run_id": run.id, "state": run.state.value}


@wes.post("/runs/<run_id>/cancel")
def cancel_run(run_id: str) -> Json:
    """CancelRun. The standard has no response for a run that has finished: it is the same."""
    actor, run_id = current_actor(), _checked(RUN_ID, run_id, field_formats.RUN_ID())
    try:
        services().runs.cancel(actor, run_id)
    except Conflict:
        if not services().runs.get(actor, run_id).state.final:
            raise
    return {"run_id": run_id}


@wes.get("/runs/<run_id>/tasks")
def list_tasks(run_id: str) -> Json:
    """ListTasks: the jobs of the current attempt that have started, in order of start."""
    run_id = _checked(RUN_ID, run_id, field_formats.RUN_ID())
    jobs = services().runs.jobs(current_actor(), run_id)
    page, token = schemas.page_of_jobs(jobs, *_paging())
    api = services().settings.public_api_url
    return {
        "task_logs": [schemas.task_log(run_id, job, api) for job in page],
        "next_page_token": token,
    }


@wes.get("/runs/<run_id>/tasks/<task_id>")
def get_task(run_id: str, task_id: str) -> Json:
    """GetTask."""
    run_id = _checked(RUN_ID, run_id, field_formats.RUN_ID())
    job = services().runs.job(
        current_actor(), run_id, _checked(JOB_ID, task_id, field_formats.TASK_ID())
    )
    return schemas.task_log(run_id, job, services().settings.public_api_url)


@wes.after_app_request
def shape_error(reply: Response) -> Response:
    """Turn the envelope of an error below the prefix into an ErrorResponse."""
    below = f"{request.path}/".startswith(f"{schemas.PREFIX}/")
    if below and reply.status_code >= 400 and reply.is_json:
        shaped = schemas.error_response(reply.status_code, json.loads(reply.get_data()))
        reply.set_data(json.dumps(shaped))
    return reply


def _checked(kind: TypeAdapter[str], value: str, not_found: Text) -> str:
    """Return a parameter of the path. Raises NotFound: a malformed id names no resource."""
    try:
        return kind.validate_python(value)
    except ValidationError:
        raise NotFound(not_found) from None


def _paging() -> tuple[int, str | None]:
    """Return the page size and the page token of this request. Raises Invalid."""
    query = forms.text_fields(request.query_string)
    if unknown := sorted(set(query) - PAGING):
        text = requests.UNKNOWN_PARAMETER(allowed=", ".join(sorted(PAGING)))
        raise Invalid(text, field=requests.field_name("", unknown[0]))
    return run_request.page_size(query.get("page_size")), query.get("page_token") or None


def _base_urls() -> list[str]:
    """Return the base URLs of this server: the public one, and that of this request."""
    return [services().settings.public_api_url, request.url_root.rstrip("/")]


def _workflow(actor: Actor, url: str) -> Workflow:
    """Return the workflow to run. Raises Forbidden: only those of the catalogue may run."""
    names = [workflow.name for workflow in services().workflows.list(actor)]
    name = run_request.workflow_name(url, _base_urls())
    if name not in names:
        text = UNKNOWN_WORKFLOW(names=", ".join(names)) if names else NO_WORKFLOWS()
        raise Forbidden(text, field="workflow_url")
    workflow = services().workflows.get(actor, name)
    if not workflow.available:
        text = UNAVAILABLE(problems=" ".join(workflow.problems))
        raise Invalid(text, field="workflow_url")
    return workflow


def _by_name(files: Sequence[forms.FormFile]) -> dict[str, forms.FormFile]:
    """Return the attachments by the names that parameters use for them. Raises Invalid."""
    attachments: dict[str, forms.FormFile] = {}
    for file in files:
        name = run_request.attachment_name(file.name)
        if name in attachments:
            raise Invalid(SAME_FILENAME(), field=ATTACHMENT)
        attachments[name] = file
    return attachments
