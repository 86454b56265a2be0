"""Results: the files that a run published. No other file of a run is ever sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from flask import Blueprint, Response
from pydantic import Field

from routes.http import examples, responses
from routes.http.context import services
from routes.http.operation import operation
from services.models import Actor, Model, Result, RunId

results = Blueprint("results", __name__, url_prefix="/api/v1")

ResultPath = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4096,  # PATH_MAX of Linux
        description="Path of a result, as in the list",
        examples=["results/report.html"],
    ),
]
FIRST = {"run_id": "$request.path.run_id", "path": "$response.body#/data/0/path"}


class ResultQuery(Model):
    """The query parameters of a result."""

    inline: Literal["0", "1", "false", "true"] = Field(
        "0", description="1: to show, in a sandbox; 0: to save"
    )


class ZipQuery(Model):
    """The query parameters of a zip of a run."""

    paths: str = Field(
        "",
        max_length=100_000,
        description="Only these paths of the list, one per line; default: all",
        examples=["results/report.html"],
    )


class RunsZipQuery(Model):
    """The query parameters of a zip of several runs."""

    run: list[RunId] = Field(
        min_length=1, max_length=200, description="Ids of runs: repeated, or separated by commas"
    )


@results.get("/runs/<run_id>/results")
@operation(
    example=[examples.RESULT],
    links={"get_result": {"operationId": "get_result", "parameters": FIRST}},
)
def list_results(actor: Actor, run_id: RunId) -> Sequence[Result]:
    """List the results of a run.

    Highlighted results come first. The list is empty until the run is COMPLETE. A browser opens
    `link` without a token; `POST /api/v1/links` makes links that are valid for another time.
    """
    links, folder = services().links, f"/api/v1/runs/{run_id}/results"
    return [
        result.model_copy(
            update={"link": links.make_stable(actor, f"{folder}/{result.path}", inline="1")}
        )
        for result in services().results.list(actor, run_id)
    ]


@results.get("/runs/<run_id>/results.zip")
@operation(media="application/zip")
def get_results_zip(actor: Actor, run_id: RunId, query: ZipQuery) -> Response:
    """Get the results of a run as a zip.

    It is created while it is sent, without compression. The response has a Content-Length.
    """
    paths = query.paths.splitlines() if query.paths else None
    return responses.bundle(services().results.bundle(actor, [run_id], paths=paths))


@results.get("/runs/<run_id>/report")
@operation(media="text/html")
def get_report(actor: Actor, run_id: RunId) -> Response:
    """Get the report of a run.

    This is the first report among its results, shown in a sandbox. 404 if there is none.
    """
    report = services().results.report(actor, run_id)
    path = services().results.path(actor, run_id, report.path)
    return responses.inline(path, report.path, media=responses.media_type(report.path))


@results.get("/results.zip")
@operation(media="application/zip", errors=(404,))
def get_runs_zip(actor: Actor, query: RunsZipQuery) -> Response:
    """Get the results of several runs as a zip with a folder for each run."""
    return responses.bundle(services().results.bundle(actor, query.run))


@results.get("/runs/<run_id>/results/<path:path>")
@operation(media="*/*")
def get_result(actor: Actor, run_id: RunId, path: ResultPath, query: ResultQuery) -> Response:
    """Get a result.

    `Range`, `If-Range` and `If-None-Match` are supported. With `inline=1` it has its own media type
    and a Content-Security-Policy that isolates it and blocks network access.
    """
    file = services().results.path(actor, run_id, path)
    send = responses.inline if query.inline in ("1", "true") else responses.download
    return send(file, path, media=responses.media_type(path))
