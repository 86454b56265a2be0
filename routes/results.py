"""Results: what a run published. Nothing else of its folder is ever shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from flask import Blueprint, Response
from pydantic import Field

from routes import examples, sending
from routes.context import desk
from routes.operation import operation
from services.models import Actor, Model, Result, RunId

results = Blueprint("results", __name__, url_prefix="/api/v1/runs")

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


@results.get("/<run_id>/results")
@operation(
    example=[examples.RESULT],
    links={"get_result": {"operationId": "get_result", "parameters": FIRST}},
)
def list_results(actor: Actor, run_id: RunId) -> Sequence[Result]:
    """List the results of a run.

    What the workflow highlights comes first. Empty until the run is COMPLETE.
    """
    return desk().results.list(actor, run_id)


@results.get("/<run_id>/results/<path:path>")
@operation(media="*/*")
def get_result(actor: Actor, run_id: RunId, path: ResultPath, query: View) -> Response:
    """Get one result.

    `Range`, `If-Range` and `If-None-Match` are understood. With `inline=1` it comes as its own
    type under a policy that gives it an origin of its own and no way out.
    """
    found = desk().results.path(actor, run_id, path)
    send = sending.inline if query.inline in ("1", "true") else sending.download
    return send(found, path, media=sending.media_type(path))
