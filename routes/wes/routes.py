"""GA4GH WES 1.1 over the same services: docs/specs/wes-1.1.0.yaml is its document.

Replies are bare, as the standard has them. Whatever fails below the prefix, an unknown address
included, is an ErrorResponse.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from flask import Blueprint, Response, request
from pydantic import TypeAdapter, ValidationError

from routes.http import forms, openapi, rate_limits, requests
from routes.http.context import current_actor, desk
from routes.wes import run_request, schemas
from routes.wes.schemas import Json
from services.errors import Conflict, Invalid, NotFound
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


@wes.get("/service-info")
def get_service_info() -> Json:
    """GetServiceInfo; the counts are of the runs that the asker may see."""
    counts = desk().runs.counts(current_actor())
    return schemas.service_info(desk().settings, openapi.version(), counts)


@wes.get("/runs")
def list_runs() -> Json:
    """ListRuns, newest first."""
    actor = current_actor()
    size, token = _paging()
    try:
        wanted = requests.fitted(RunFilter, {"after": token, "limit": size}, "")
        page = desk().runs.list(actor, wanted)
    except Invalid as error:
        raise Invalid("This is not a token of an earlier page.", field="page_token") from error
    return {
        "runs": [schemas.run_summary(run) for run in page.items],
        "next_page_token": page.next or "",
    }


@wes.post("/runs")
def run_workflow() -> Json:
    """RunWorkflow: a workflow of the catalogue; attachments become registered files."""
    actor = current_actor()
    rate_limits.spend("submit", actor)
    with forms.reading_form(files=[ATTACHMENT]) as form:
        run_request.check_request(form.fields)
        workflow = _workflow(actor, form.fields["workflow_url"])
        given = run_request.json_object(form.fields, "workflow_params")
        asked = {
            "workflow": workflow.name,
            "params": given,
            "tags": run_request.tags_to_keep(form.fields),
        }
        requests.fitted(RunRequest, asked, "")
        uploads = _named(form.uploads)
        # nothing is kept before all of it is known to fit
        run_request.check_params(workflow.params_schema, given, uploads)
        attached = {
            name: desk().files.register(actor, name.rpartition("/")[2], upload.stream).id
            for name, upload in uploads.items()
        }
    asked["params"] = run_request.with_files(workflow.params_schema, given, attached, _bases())
    run = desk().runs.submit(actor, RunRequest.model_validate(asked))
    return {"run_id": run.id}


@wes.get("/runs/<run_id>")
def get_run_log(run_id: str) -> Json:
    """GetRunLog."""
    actor, run_id = current_actor(), _known(RUN_ID, run_id)
    run = desk().runs.get(actor, run_id)
    results = desk().results.list(actor, run_id)
    return schemas.run_log(run, results, desk().settings.public_api_url)


@wes.get("/runs/<run_id>/status")
def get_run_status(run_id: str) -> Json:
    """GetRunStatus."""
    run = desk().runs.get(current_actor(), _known(RUN_ID, run_id))
    return {"run_id": run.id, "state": run.state.value}


@wes.post("/runs/<run_id>/cancel")
def cancel_run(run_id: str) -> Json:
    """CancelRun. The document knows no reply for a run that is over: it is answered the same."""
    actor, run_id = current_actor(), _known(RUN_ID, run_id)
    try:
        desk().runs.cancel(actor, run_id)
    except Conflict:
        if not desk().runs.get(actor, run_id).state.final:
            raise
    return {"run_id": run_id}


@wes.get("/runs/<run_id>/tasks")
def list_tasks(run_id: str) -> Json:
    """ListTasks: the jobs of the present attempt that have started, in that order."""
    run_id = _known(RUN_ID, run_id)
    jobs = desk().runs.jobs(current_actor(), run_id)
    shown, token = schemas.page_of_jobs(jobs, *_paging())
    api = desk().settings.public_api_url
    return {
        "task_logs": [schemas.task_log(run_id, job, api) for job in shown],
        "next_page_token": token,
    }


@wes.get("/runs/<run_id>/tasks/<task_id>")
def get_task(run_id: str, task_id: str) -> Json:
    """GetTask."""
    run_id = _known(RUN_ID, run_id)
    job = desk().runs.job(current_actor(), run_id, _known(JOB_ID, task_id))
    return schemas.task_log(run_id, job, desk().settings.public_api_url)


@wes.after_app_request
def shape_error(reply: Response) -> Response:
    """The envelope of a failed reply below the prefix becomes an ErrorResponse."""
    below = f"{request.path}/".startswith(f"{schemas.PREFIX}/")
    if below and reply.status_code >= 400 and reply.is_json:
        shaped = schemas.error_response(reply.status_code, json.loads(reply.get_data()))
        reply.set_data(json.dumps(shaped))
    return reply


def _known(kind: TypeAdapter[str], given: str) -> str:
    """A part of the path. What does not fit its pattern names nothing."""
    try:
        return kind.validate_python(given)
    except ValidationError:
        raise NotFound from None


def _paging() -> tuple[int, str | None]:
    """Page size and token of this request. Raises Invalid."""
    query = forms.text_fields(request.query_string)
    if unknown := sorted(set(query) - PAGING):
        hint = f"Known here: {', '.join(sorted(PAGING))}."
        raise Invalid("This parameter is unknown.", field=unknown[0][:200], hint=hint)
    return run_request.page_size(query.get("page_size")), query.get("page_token") or None


def _bases() -> list[str]:
    """What addresses of this desk begin with: the public one, and the one that was asked."""
    return [desk().settings.public_api_url, request.url_root.rstrip("/")]


def _workflow(actor: Actor, url: str) -> Workflow:
    """The workflow to run. Raises Invalid."""
    names = [workflow.name for workflow in desk().workflows.list(actor)]
    name = run_request.workflow_name(url, _bases())
    if name not in names:
        hint = f"Send the name of one of the catalogue or its address: {', '.join(names)}."
        raise Invalid("There is no such workflow.", field="workflow_url", hint=hint)
    workflow = desk().workflows.get(actor, name)
    if not workflow.available:
        hint = " ".join(workflow.problems)
        raise Invalid("This workflow cannot run on this desk.", field="workflow_url", hint=hint)
    return workflow


def _named(uploads: Sequence[forms.Upload]) -> dict[str, forms.Upload]:
    """Attachments by the names that parameters know them by. Raises Invalid."""
    named: dict[str, forms.Upload] = {}
    for upload in uploads:
        name = run_request.attachment_name(upload.name)
        if name in named:
            raise Invalid("Two attachments have the same filename.", field=ATTACHMENT)
        named[name] = upload
    return named
