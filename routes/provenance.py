"""Provenance: how a run produced its results, as a crate and as Snakemake's report."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint, Response
from pydantic import Field

from routes.http import responses
from routes.http.context import services
from routes.http.operation import operation
from services.models import Actor, Model, RunId

provenance = Blueprint("provenance", __name__, url_prefix="/api/v1")


class CrateQuery(Model):
    """The query parameters of a crate."""

    inputs: Literal["0", "1", "false", "true"] = Field(
        "1", description="0: without the content of the inputs; 1: with it"
    )

    @property
    def includes_inputs(self) -> bool:
        return self.inputs in ("1", "true")


@provenance.get("/runs/<run_id>/crate")
@operation(media="application/zip", errors=(409,))
def get_crate(actor: Actor, run_id: RunId, query: CrateQuery) -> Response:
    """Get a completed run as a zipped Workflow Run RO-Crate.

    Follows the profile Provenance Run Crate 0.5: the workflow, its parameters and inputs, and each
    job with its times, inputs and outputs. The response has a Content-Length. 409 if the run is not
    COMPLETE.
    """
    return responses.bundle(services().crates.bundle(actor, run_id, inputs=query.includes_inputs))


@provenance.get("/runs/<run_id>/crate/ro-crate-metadata.json")
@operation(media="application/ld+json", errors=(409,))
def get_crate_metadata(actor: Actor, run_id: RunId, query: CrateQuery) -> Response:
    """Get the metadata of the crate of a run, in JSON-LD."""
    metadata = services().crates.metadata(actor, run_id, inputs=query.includes_inputs)
    return Response(metadata, mimetype="application/ld+json")


@provenance.get("/runs/<run_id>/snakemake-report")
@operation(media="text/html", errors=(409,))
def get_snakemake_report(actor: Actor, run_id: RunId) -> Response:
    """Get Snakemake's own report of a completed run.

    It is created at the first request, which takes a few seconds, and shown in a sandbox. 409 if
    the run is not COMPLETE.
    """
    path = services().reports.path(actor, run_id)
    return responses.inline(path, path.name, media="text/html")
