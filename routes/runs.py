"""Runs: submit, follow, cancel, resume and delete them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from flask import Blueprint, Response, request, url_for
from flask.blueprints import BlueprintSetupState
from pydantic import Field
from werkzeug.routing import BaseConverter

from routes.http import examples, responses, streams
from routes.http.context import services
from routes.http.operation import Encoder, operation
from services.models import (
    Actor,
    Graph,
    Job,
    JobId,
    Model,
    Page,
    Preview,
    Run,
    RunChanges,
    RunFilter,
    RunId,
    RunRequest,
    Validated,
)
from services.params import json_values
from services.runs.events import Event, new_events

runs = Blueprint("runs", __name__, url_prefix="/api/v1/runs")

RUN = Encoder(Run, tagged=True)

OF_RUN: dict[str, dict[str, Any]] = {
    name: {"operationId": name, "parameters": {"run_id": "$response.body#/data/id"}}
    for name in (
        "get_run",
        "update_run",
        "list_jobs",
        "get_graph",
        "get_log",
        "list_results",
        "cancel_run",
        "resume_run",
        "run_again",
        "delete_run",
    )
}
FIRST_RUN = {"run_id": "$response.body#/data/items/0/id"}
FIRST_JOB = {"run_id": "$request.path.run_id", "job_id": "$response.body#/data/0/id"}


class RunPart(BaseConverter):
    """Any text except the words used next to the ids of runs, which have other methods (405)."""

    regex = r"(?!(?:preview|validate)$)[^/]+"
    part_isolating = True  # it matches within one segment of the path


@runs.record_once
def add_converter(state: BlueprintSetupState) -> None:
    """Register the converter before the rules that use it."""
    state.app.url_map.converters["run"] = RunPart


class LogQuery(Model):
    """The query parameters of a log."""

    follow: Literal["0", "1", "false", "true"] = Field(
        "0", description="1: stream the log until the attempt has finished"
    )
    offset: int = Field(
        0, ge=0, le=json_values.MAX_INT64, description="With `follow`: the byte to start at"
    )


class ConfigurationQuery(Model):
    """The query parameters of a configuration."""

    staged: Literal["0", "1", "false", "true"] = Field(
        "0",
        description="1: as Snakemake reads it, with the paths of files in the run directory; "
        "0: with the ids of files",
    )


class WaitQuery(Model):
    """The query parameters of a run."""

    wait: int = Field(
        0,
        ge=0,
        le=60,
        description="Seconds to wait for a change of the run; 0: respond at once",
        examples=[30],
    )


class EventHeaders(Model):
    """The headers with which a browser resumes a stream."""

    seen: str = Field(
        "",
        alias="Last-Event-ID",
        pattern=r"^[0-9a-f.]{0,64}$",
        description="Id of the last event received; only newer events are sent",
    )


class SubmitHeaders(Model):
    """The headers of a submission."""

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,200}$",
        description="Requests with the same key and body create only one run",
        examples=["7c1f0d9e-search-42"],
    )


@runs.post("")
@operation(
    status=201,
    limit="submit",
    errors=(404, 409, 507),
    links=OF_RUN,
    request=examples.EXAMPLE_RUN,
    example=examples.RUN,
    location=lambda run: url_for("runs.get_run", run_id=run.id),
)
def submit_run(actor: Actor, headers: SubmitHeaders, body: RunRequest) -> Run:
    """Submit a run.

    The run is queued and starts as soon as the limits allow. `params` must match the
    `params_schema` of the workflow, with the ids of uploaded files, for instance
    `{"workflow": "sequence-search", "params": {"queries": "65f0c0ffee0123456789abce", "database":
    "65f0c0ffee0123456789abcf", "evalue": 1e-05}}`. `"example": true` instead runs the example of
    the workflow.
    """
    return services().runs.submit(actor, body, idempotency_key=headers.idempotency_key)


@runs.post("/validate")
@operation(errors=(404,), request=examples.EXAMPLE_RUN, example=examples.VALIDATED)
def validate_run(actor: Actor, body: RunRequest) -> Validated:
    """Validate a submission without submitting it.

    Reports every problem with its field, as a submission does. The response has the parameters with
    defaults filled in. Nothing is stored.
    """
    return services().previews.validate(actor, body)


@runs.post("/preview")
@operation(
    limit="submit",
    errors=(404, 409, 507),
    request=examples.EXAMPLE_RUN,
    example=examples.PREVIEW,
)
def preview_run(actor: Actor, body: RunRequest) -> Preview:
    """Preview a submission.

    Returns the rules that would run, the number of jobs of each, and their dependencies. Snakemake
    plans them; no job runs. `problems` says why there is no plan. Takes one or two seconds, at most
    30.
    """
    return services().previews.preview(actor, body)


@runs.get("")
@operation(
    example={"items": [examples.RUN], "next": None, "total": 1, "total_capped": False},
    links={"get_run": {"operationId": "get_run", "parameters": FIRST_RUN}},
)
def list_runs(actor: Actor, query: RunFilter) -> Page[Run]:
    """List runs, newest first.

    `state` and `id` may be repeated, or have several values separated by commas. To poll many runs,
    use `id=a,b,c` with `If-None-Match`. Send `next` as `after` to get the next page. `total` counts
    at most 1000 runs.
    """
    return services().runs.list_with_total(actor, query)


@runs.get("/<run:run_id>")
@operation(links=OF_RUN, example=examples.RUN)
def get_run(actor: Actor, run_id: RunId, query: WaitQuery) -> Run:
    """Get a run.

    With `wait=30` the response is sent as soon as the run changes, at the latest after 30 seconds,
    and at once if the run has finished or has another ETag than `If-None-Match`.
    """
    known, run = services(), services().runs.get(actor, run_id)
    if query.wait and (not request.if_none_match or RUN.knows(run)):
        return streams.wait_for_change(run, lambda: known.views.run(actor, run_id).run, query.wait)
    return run


@runs.patch("/<run:run_id>")
@operation(request={"tags": ["swissprot", "published"]}, example=examples.RUN)
def update_run(actor: Actor, run_id: RunId, body: RunChanges) -> Run:
    """Rename or tag a run.

    Fields that are not in the body keep their values.
    """
    return services().runs.update(actor, run_id, body)


@runs.get("/<run_id>/jobs")
@operation(
    example=[examples.JOB],
    links={"get_job_log": {"operationId": "get_job_log", "parameters": FIRST_JOB}},
)
def list_jobs(actor: Actor, run_id: RunId) -> Sequence[Job]:
    """List the jobs of a run.

    Returns those of the current attempt, in order of start.
    """
    return services().runs.jobs(actor, run_id)


@runs.get("/<run_id>/graph")
@operation(example=examples.GRAPH)
def get_graph(actor: Actor, run_id: RunId) -> Graph:
    """Get the steps of a run.

    Returns one step for each rule, with counters, and the dependencies between them.
    """
    return services().runs.graph(actor, run_id)


@runs.get("/<run_id>/log")
@operation(media="text/plain")
def get_log(actor: Actor, run_id: RunId, query: LogQuery) -> Response:
    """Get the log of a run.

    This is the output of Snakemake in the last attempt. To follow it, poll with
    `Range: bytes=<received>-`, or use `follow=1`, which counts as a stream like `events`.
    """
    known = services()
    if query.follow in ("0", "false"):
        return responses.text(known.runs.log(actor, run_id))
    known.runs.get(actor, run_id)
    checked = streams.rechecked(actor)
    pieces = streams.log(
        lambda: known.views.run(checked(), run_id).run,
        lambda: known.runs.log(checked(), run_id),
        query.offset,
        known.settings.stream_time,
    )
    return streams.stream(pieces, "text/plain")


@runs.get("/<run_id>/configuration")
@operation(media="text/plain")
def get_configuration(actor: Actor, run_id: RunId, query: ConfigurationQuery) -> Response:
    """Get the configuration of a run.

    This is the configuration file of the workflow with the parameters of the run. Registered as a
    file, it can be sent as `config_file` of another run.
    """
    staged = query.staged in ("1", "true")
    text = services().configurations.of_run(actor, run_id, staged=staged)
    return responses.text_to_save(text, f"{run_id}.yaml")


@runs.get("/<run_id>/events")
@operation(media="text/event-stream", nothing="The run has finished, and there are no new events")
def get_events(actor: Actor, run_id: RunId, headers: EventHeaders) -> Response:
    """Follow a run by server-sent events.

    The events are `state`, `progress` and `jobs` (counters by rule), each with the complete current
    value when it has changed, and `gone` when the run has been deleted. The stream ends with the
    run, or after some time: reconnect with `Last-Event-ID`, as browsers do. 204: the run has
    finished, and there are no new events. Each process serves 250 streams, then 503: poll instead,
    for instance with `wait=30` at the run.
    """
    known, checked = services(), streams.rechecked(actor)

    def poll(seen: str) -> tuple[Run, Sequence[Event]]:
        view = known.views.run(checked(), run_id)
        return view.run, new_events(view.changes, seen)

    run = known.runs.get(actor, run_id)
    if run.state.final and headers.seen and not poll(headers.seen)[1]:
        return Response(status=204)
    pieces = streams.events(poll, headers.seen, known.settings.stream_time)
    return streams.stream(pieces, "text/event-stream")


@runs.get("/<run_id>/jobs/<job_id>/log")
@operation(media="text/plain")
def get_job_log(actor: Actor, run_id: RunId, job_id: JobId) -> Response:
    """Get the log of a job."""
    return responses.text(services().runs.job_log(actor, run_id, job_id))


@runs.post("/<run_id>/cancel")
@operation(errors=(409,), example=examples.RUN)
def cancel_run(actor: Actor, run_id: RunId) -> Run:
    """Cancel a run.

    A queued run is CANCELED at once; a running one is CANCELING until its processes have ended.
    """
    return services().runs.cancel(actor, run_id)


@runs.post("/<run_id>/again")
@operation(
    status=201,
    limit="submit",
    errors=(409, 507),
    links=OF_RUN,
    example=examples.RUN,
    location=lambda run: url_for("runs.get_run", run_id=run.id),
)
def run_again(actor: Actor, run_id: RunId, headers: SubmitHeaders) -> Run:
    """Run a run again.

    Creates a new run with the same parameters, files, name and tags, and the current workflow.
    """
    return services().runs.resubmit(actor, run_id, idempotency_key=headers.idempotency_key)


@runs.post("/<run_id>/resume")
@operation(errors=(409,), links=OF_RUN, example=examples.RUN)
def resume_run(actor: Actor, run_id: RunId) -> Run:
    """Resume a run.

    A failed or canceled run is queued for another attempt; the outputs of finished jobs are kept.
    """
    return services().runs.resume(actor, run_id)


@runs.delete("/<run:run_id>")
@operation(errors=(409,))
def delete_run(actor: Actor, run_id: RunId) -> None:
    """Delete a run.

    Its results and logs are deleted too. A queued or running run must be canceled first (409).
    """
    services().runs.delete(actor, run_id)
