"""Workflows: the catalogue, with the schema of their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from flask import Blueprint, Response
from pydantic import Field

from routes.http import examples, responses
from routes.http.context import services
from routes.http.operation import operation
from services.models import Actor, Model, Preview, Workflow, WorkflowName
from services.params.public_schema import public_schema

workflows = Blueprint("workflows", __name__, url_prefix="/api/v1/workflows")


class ConfigurationQuery(Model):
    """The query parameters of a configuration file."""

    path: str = Field(
        "",
        max_length=4096,
        description="File of the config folder; default: the configuration of the workflow",
        examples=["config/scenario.yaml"],
    )


FIRST = {"name": "$response.body#/data/0/name"}


@workflows.get("")
@operation(
    example=[examples.WORKFLOW],
    links={
        name: {"operationId": name, "parameters": FIRST}
        for name in ("get_workflow", "get_workflow_graph")
    },
)
def list_workflows(actor: Actor) -> Sequence[Workflow]:
    """List the workflows.

    Workflows that cannot run on this server are listed too; `available` is then false, and
    `problems` says why.
    """
    return [_public(workflow) for workflow in services().workflows.list(actor)]


@workflows.get("/<name>")
@operation(example=examples.WORKFLOW)
def get_workflow(actor: Actor, name: WorkflowName) -> Workflow:
    """Get a workflow.

    `params_schema` is the JSON Schema (2020-12) that accepts the `params` of a submission. Keywords
    that are not part of JSON Schema start with `x-`. A parameter with `x-format: file-path` is a
    file: its value is the id of a registered file, whose name must match `x-name-pattern`.
    `x-rows` points to the schema of the rows of a table.
    """
    return _public(services().workflows.get(actor, name))


@workflows.get("/<name>/configuration")
@operation(media="text/plain")
def get_workflow_configuration(
    actor: Actor, name: WorkflowName, query: ConfigurationQuery
) -> Response:
    """Get the configuration file of a workflow.

    With `path` another file of its config folder: one of `config_files` of the workflow. An edited
    copy, registered as a file, can be sent as `config_file` or in `replacements` of a run.
    """
    text = services().configurations.file(actor, name, query.path)
    return responses.text_to_save(text, PurePosixPath(query.path or "config.yaml").name)


@workflows.get("/<name>/graph")
@operation(errors=(409, 507), example=examples.PREVIEW)
def get_workflow_graph(actor: Actor, name: WorkflowName) -> Preview:
    """Get the rules of a workflow.

    Returns what a run of its example would do, or a run with defaults if it has no example. It is
    planned once for each version of the workflow.
    """
    return services().previews.graph(actor, name)


def _public(workflow: Workflow) -> Workflow:
    """Return a workflow with the schema of a submission instead of its own schema."""
    return workflow.model_copy(update={"params_schema": public_schema(workflow.params_schema)})
