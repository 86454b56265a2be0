"""Runs: submitted, watched, canceled, resumed, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from flask import Blueprint, Response, url_for
from flask.blueprints import BlueprintSetupState
from pydantic import Field
from werkzeug.routing import BaseConverter

from routes.http import examples, requests, responses, streams
from routes.http.context import current_actor, desk
from routes.http.operation import operation
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
from services.runs.events import Event, new_events

runs = Blueprint("runs", __name__, url_prefix="/api/v1/runs")

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
    """Any text but the words that stand beside the ids of runs: they know other methods (405)."""

    regex = r"(?!(?:preview|validate)$)[^/]+"
    part_isolating = True  # it stays within one part of the address


@runs.record_once
def know_parts(state: BlueprintSetupState) -> None:
    """Before the rules that use it are added."""
    state.app.url_map.converters["run"] = RunPart


class Following(Model):
    """How to read a log."""

    follow: Literal["0", "1", "false", "true"] = Field(
        "0", description="1: go on while it grows, until the attempt is over"
    )
    offset: int = Field(
        0, ge=0, le=requests.MOST, description="With `follow`, the byte to begin at"
    )


class EventHeaders(Model):
    """What a browser sends when it comes back to a stream."""

    seen: str = Field(
        "",
        alias="Last-Event-ID",
        pattern=r"^[0-9a-f.]{0,64}$",
        description="The id of the last event; only what is new since is sent",
    )


class SubmitHeaders(Model):
    """What a submission may carry beside its body."""

    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,200}$",
        description="The same key with the same body gives the same run, however often it is sent",
        examples=["7c1f0d9e-search-42"],
    )


@runs.post("")
@operation(
    status=201,
    limit="submit",
    errors=(404, 409, 507),
    links=OF_RUN,
    request=examples.REQUEST,
    example=examples.RUN,
    location=lambda run: url_for("runs.get_run", run_id=run.id),
)
def submit_run(actor: Actor, headers: SubmitHeaders, body: RunRequest) -> Run:
    """Submit a run.

    It is queued and starts as soon as there is a place. `params` must fit the workflow's
    `params_schema`; `"example": true` in their place runs the workflow's own example.
    """
    return desk().runs.submit(actor, body, idempotency_key=headers.idempotency_key)


@runs.post("/validate")
@operation(errors=(404,), request=examples.REQUEST, example=examples.VALIDATED)
def validate_run(actor: Actor, body: RunRequest) -> Validated:
    """Check a submission.

    As it would be on submission, with every problem and its field; defaults are filled in. Nothing
    is stored.
    """
    return desk().previews.validate(actor, body)


@runs.post("/preview")
@operation(
    limit="submit",
    errors=(404, 409, 507),
    request=examples.REQUEST,
    example=examples.PREVIEW,
)
def preview_run(actor: Actor, body: RunRequest) -> Preview:
    """Preview a submission.

    Which rules would run, how many jobs of each, and what waits for what: Snakemake plans it, and
    no job runs. What it cannot plan is told in `problems`. Takes a second or two, 30 at most.
    """
    return desk().previews.preview(actor, body)


@runs.get("")
@operation(
    example={"items": [examples.RUN], "next": None},
    links={"get_run": {"operationId": "get_run", "parameters": FIRST_RUN}},
)
def list_runs(actor: Actor, query: RunFilter) -> Page[Run]:
    """List runs, newest first.

    `state` and `id` may be given several times, or once with commas. `id=a,b,c` asks for many runs
    at once, which costs little with `If-None-Match` while nothing changes. `next` is the token of
    the page after this one, for `after`.
    """
    return desk().runs.list(actor, query)


@runs.get("/<run:run_id>")
@operation(links=OF_RUN, example=examples.RUN)
def get_run(actor: Actor, run_id: RunId) -> Run:
    """Get one run."""
    return desk().runs.get(actor, run_id)


@runs.patch("/<run:run_id>")
@operation(request={"tags": ["swissprot", "published"]}, example=examples.RUN)
def update_run(actor: Actor, run_id: RunId, body: RunChanges) -> Run:
    """Rename or tag a run.

    What is left out of the body stays as it is.
    """
    return desk().runs.update(actor, run_id, body)


@runs.get("/<run_id>/jobs")
@operation(
    example=[examples.JOB],
    links={"get_job_log": {"operationId": "get_job_log", "parameters": FIRST_JOB}},
)
def list_jobs(actor: Actor, run_id: RunId) -> Sequence[Job]:
    """List the jobs of a run.

    Those of the present attempt, in order of start.
    """
    return desk().runs.jobs(actor, run_id)


@runs.get("/<run_id>/graph")
@operation(example=examples.GRAPH)
def get_graph(actor: Actor, run_id: RunId) -> Graph:
    """Get the steps of a run.

    One per rule, with counters, and what waits for what.
    """
    return desk().runs.graph(actor, run_id)


@runs.get("/<run_id>/log")
@operation(media="text/plain")
def get_log(actor: Actor, run_id: RunId, query: Following) -> Response:
    """Read the log of a run.

    What Snakemake printed in the last attempt. Follow it with `Range: bytes=<read so far>-` now and
    then, or with `follow=1` in one reply, for which there are as few places as for events.
    """
    services = desk()
    if query.follow in ("0", "false"):
        return responses.text(services.runs.log(actor, run_id))
    services.runs.get(actor, run_id)
    pieces = streams.log(
        lambda: services.views.run(current_actor(), run_id).run,
        lambda: services.runs.log(current_actor(), run_id),
        query.offset,
    )
    return streams.lasting(pieces, "text/plain")


@runs.get("/<run_id>/events")
@operation(media="text/event-stream", nothing="It is over, and nothing is new")
def get_events(actor: Actor, run_id: RunId, headers: EventHeaders) -> Response:
    """Follow a run by server-sent events.

    `state`, `progress` and `jobs` (counters by rule), each the whole of what is now, when it has
    changed; `gone` when the run was deleted. The stream ends with the run, or after a time: come
    back with `Last-Event-ID`, as browsers do by themselves. 204: it is over, nothing is new. There
    are a few places for streams (503 when they are taken); polling with `If-None-Match` has no
    such limit.
    """
    views = desk().views

    def look(seen: str) -> tuple[Run, list[Event]]:
        found = views.run(current_actor(), run_id)
        return found.run, list(new_events(found.run, found.graph, seen))

    run = desk().runs.get(actor, run_id)
    if run.state.final and headers.seen and not look(headers.seen)[1]:
        return Response(status=204)
    return streams.lasting(streams.events(look, headers.seen), "text/event-stream")


@runs.get("/<run_id>/jobs/<job_id>/log")
@operation(media="text/plain")
def get_job_log(actor: Actor, run_id: RunId, job_id: JobId) -> Response:
    """Read the log of a job."""
    return responses.text(desk().runs.job_log(actor, run_id, job_id))


@runs.post("/<run_id>/cancel")
@operation(errors=(409,), example=examples.RUN)
def cancel_run(actor: Actor, run_id: RunId) -> Run:
    """Cancel a run.

    One that waits is CANCELED at once; one that runs is CANCELING until its processes have ended.
    """
    return desk().runs.cancel(actor, run_id)


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

    A new run with the parameters, files, name and tags of that one, and the workflow as it is now.
    """
    return desk().runs.resubmit(actor, run_id, idempotency_key=headers.idempotency_key)


@runs.post("/<run_id>/resume")
@operation(errors=(409,), links=OF_RUN, example=examples.RUN)
def resume_run(actor: Actor, run_id: RunId) -> Run:
    """Resume a run.

    One that failed or was canceled is queued for another attempt; what its jobs finished is kept.
    """
    return desk().runs.resume(actor, run_id)


@runs.delete("/<run:run_id>")
@operation(errors=(409,))
def delete_run(actor: Actor, run_id: RunId) -> None:
    """Delete a run.

    It and everything it made are gone. Not while it waits or runs: cancel it first.
    """
    desk().runs.delete(actor, run_id)
