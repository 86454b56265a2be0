"""What can be run: the workflows of the catalogue, with the schema of their parameters."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from routes.http import examples
from routes.http.context import desk
from routes.http.operation import operation
from services.models import Actor, Preview, Workflow, WorkflowName

workflows = Blueprint("workflows", __name__, url_prefix="/api/v1/workflows")

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


@workflows.get("/<name>/graph")
@operation(errors=(409, 507), example=examples.PREVIEW)
def get_workflow_graph(actor: Actor, name: WorkflowName) -> Preview:
    """Get the rules of a workflow.

    What a run of its example would do, or of its defaults when it has none. Planned once for each
    version of its files.
    """
    return desk().previews.graph(actor, name)
