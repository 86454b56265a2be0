"""Results: what a run published. Nothing else of its folder is ever shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from flask import Blueprint, Response
from pydantic import Field

from routes.http import examples, responses
from routes.http.context import desk
from routes.http.operation import operation
from services.models import Actor, Model, Result, RunId

results = Blueprint("results", __name__, url_prefix="/api/v1")

ResultPath = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1000,
        description="Path of a result, as the list has it",
        examples=["results/report.html"],
    ),
]
FIRST = {"run_id": "$request.path.run_id", "path": "$response.body#/data/0/path"}


class View(Model):
    """How to send a result."""

    inline: Literal["0", "1", "false", "true"] = Field(
        "0", description="1: to be shown, in a sandbox of its own; 0: to be saved"
    )


class Selection(Model):
    """Which results to send."""

    paths: str = Field(
        "",
        max_length=100_000,
        description="Only these paths of the list, one a line; all when left out",
        examples=["results/report.html"],
    )


class Runs(Model):
    """Which runs' results to send."""

    run: list[RunId] = Field(
        min_length=1, max_length=200, description="Identifiers of runs; several times, or by comma"
    )


@results.get("/runs/<run_id>/results")
@operation(
    example=[examples.RESULT],
    links={"get_result": {"operationId": "get_result", "parameters": FIRST}},
)
def list_results(actor: Actor, run_id: RunId) -> Sequence[Result]:
    """List the results of a run.

    What the workflow highlights comes first. Empty until the run is COMPLETE.
    """
    return desk().results.list(actor, run_id)


@results.get("/runs/<run_id>/results.zip")
@operation(media="application/zip")
def get_results_zip(actor: Actor, run_id: RunId, query: Selection) -> Response:
    """Get the results of a run as one zip.

    It is made while it is sent, without compression; its length is announced.
    """
    paths = query.paths.splitlines() if query.paths else None
    return responses.bundle(desk().results.bundle(actor, [run_id], paths=paths))


@results.get("/runs/<run_id>/report")
@operation(media="text/html")
def get_report(actor: Actor, run_id: RunId) -> Response:
    """Look at the report of a run.

    The first of its results that is one, in a sandbox of its own; 404 when there is none.
    """
    report = desk().results.report(actor, run_id)
    path = desk().results.path(actor, run_id, report.path)
    return responses.inline(path, report.path, media=responses.media_type(report.path))


@results.get("/results.zip")
@operation(media="application/zip", errors=(404,))
def get_runs_zip(actor: Actor, query: Runs) -> Response:
    """Get the results of several runs as one zip, a folder each."""
    return responses.bundle(desk().results.bundle(actor, query.run))


@results.get("/runs/<run_id>/results/<path:path>")
@operation(media="*/*")
def get_result(actor: Actor, run_id: RunId, path: ResultPath, query: View) -> Response:
    """Get one result.

    `Range`, `If-Range` and `If-None-Match` are understood. With `inline=1` it comes as its own
    type under a policy that gives it an origin of its own and no way out.
    """
    found = desk().results.path(actor, run_id, path)
    send = responses.inline if query.inline in ("1", "true") else responses.download
    return send(found, path, media=responses.media_type(path))
