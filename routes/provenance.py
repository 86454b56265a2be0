"""Provenance: how a run came to its results, as a crate and as Snakemake tells it."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint, Response
from pydantic import Field

from routes.http import responses
from routes.http.context import desk
from routes.http.operation import operation
from services.models import Actor, Model, RunId

provenance = Blueprint("provenance", __name__, url_prefix="/api/v1")


class Extent(Model):
    """What goes into the crate."""

    inputs: Literal["0", "1", "false", "true"] = Field(
        "1", description="0: without the bytes of the inputs; their names and checksums stay"
    )

    @property
    def whole(self) -> bool:
        return self.inputs in ("1", "true")


@provenance.get("/runs/<run_id>/crate")
@operation(media="application/zip", errors=(409,))
def get_crate(actor: Actor, run_id: RunId, query: Extent) -> Response:
    """Get a completed run as a Workflow Run RO-Crate, zipped.

    By the profile Provenance Run Crate 0.5: the workflow, its parameters and inputs, each job with
    its times, what was used and what was made. Its length is announced. 409 for other runs.
    """
    return responses.bundle(desk().crates.bundle(actor, run_id, inputs=query.whole))


@provenance.get("/runs/<run_id>/crate/ro-crate-metadata.json")
@operation(media="application/ld+json", errors=(409,))
def get_crate_metadata(actor: Actor, run_id: RunId, query: Extent) -> Response:
    """Get the description within the crate of a run alone, JSON-LD."""
    found = desk().crates.metadata(actor, run_id, inputs=query.whole)
    return Response(found, mimetype="application/ld+json")


@provenance.get("/runs/<run_id>/snakemake-report")
@operation(media="text/html", errors=(409,))
def get_snakemake_report(actor: Actor, run_id: RunId) -> Response:
    """Look at Snakemake's own report of a completed run, in a sandbox of its own.

    It is made when it is first asked for, which takes some seconds. 409 for other runs.
    """
    path = desk().reports.path(actor, run_id)
    return responses.inline(path, path.name, media="text/html")
