"""Runs: submitted, watched, canceled, resumed, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, url_for
from pydantic import Field

from routes import examples, sending
from routes.context import desk
from routes.operation import operation
from services.models import (
    Actor,
    Graph,
    Job,
    JobId,
    Model,
    Page,
    Run,
    RunChanges,
    RunFilter,
    RunId,
    RunRequest,
)

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
        "delete_run",
    )
}
FIRST_RUN = {"run_id": "$response.body#/data/items/0/id"}
FIRST_JOB = {"run_id": "$request.path.run_id", "job_id": "$response.body#/data/0/id"}


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


@runs.get("")
@operation(
    example={"items": [examples.RUN], "next": None},
    links={"get_run": {"operationId": "get_run", "parameters": FIRST_RUN}},
)
def list_runs(actor: Actor, query: RunFilter) -> Page[Run]:
    """List runs, newest first.

    `state` may be given several times, or once with commas. `next` is the token of the page after
    this one, for `after`.
    """
    return desk().runs.list(actor, query)


@runs.get("/<run_id>")
@operation(links=OF_RUN, example=examples.RUN)
def get_run(actor: Actor, run_id: RunId) -> Run:
    """Get one run."""
    return desk().runs.get(actor, run_id)


@runs.patch("/<run_id>")
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
def get_log(actor: Actor, run_id: RunId) -> Response:
    """Read the log of a run.

    What Snakemake printed in the last attempt. Follow it with `Range: bytes=<read so far>-`.
    """
    return sending.text(desk().runs.log(actor, run_id))


@runs.get("/<run_id>/jobs/<job_id>/log")
@operation(media="text/plain")
def get_job_log(actor: Actor, run_id: RunId, job_id: JobId) -> Response:
    """Read the log of a job."""
    return sending.text(desk().runs.job_log(actor, run_id, job_id))


@runs.post("/<run_id>/cancel")
@operation(errors=(409,), example=examples.RUN)
def cancel_run(actor: Actor, run_id: RunId) -> Run:
    """Cancel a run.

    One that waits is CANCELED at once; one that runs is CANCELING until its processes have ended.
    """
    return desk().runs.cancel(actor, run_id)


@runs.post("/<run_id>/resume")
@operation(errors=(409,), links=OF_RUN, example=examples.RUN)
def resume_run(actor: Actor, run_id: RunId) -> Run:
    """Resume a run.

    One that failed or was canceled is queued for another attempt; what its jobs finished is kept.
    """
    return desk().runs.resume(actor, run_id)


@runs.delete("/<run_id>")
@operation(errors=(409,))
def delete_run(actor: Actor, run_id: RunId) -> None:
    """Delete a run.

    It and everything it made are gone. Not while it waits or runs: cancel it first.
    """
    desk().runs.delete(actor, run_id)
