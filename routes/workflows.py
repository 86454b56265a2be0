"""What can be run: the workflows of the catalogue, with the schema of their parameters."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from routes import examples
from routes.context import desk
from routes.operation import operation
from services.models import Actor, Workflow, WorkflowName

workflows = Blueprint("workflows", __name__, url_prefix="/api/v1/workflows")

FIRST = {"name": "$response.body#/data/0/name"}


@workflows.get("")
@operation(
    example=[examples.WORKFLOW],
    links={"get_workflow": {"operationId": "get_workflow", "parameters": FIRST}},
)
def list_workflows(actor: Actor) -> Sequence[Workflow]:
    """List the workflows.

    Those that cannot run on this desk are listed too: `available` is false then and `problems`
    says why.
    """
    return desk().workflows.list(actor)


@workflows.get("/<name>")
@operation(example=examples.WORKFLOW)
def get_workflow(actor: Actor, name: WorkflowName) -> Workflow:
    """Get one workflow.

    `params_schema` is the JSON Schema (2020-12) that `params` of a submission must fit; parameters
    of the format `file-path` take the id of a registered file.
    """
    return desk().workflows.get(actor, name)
