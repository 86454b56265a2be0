"""Drafts: filled forms of runs, kept until they are submitted."""

from __future__ import annotations

from flask import Blueprint

from routes.http import examples
from routes.http.context import services
from routes.http.operation import operation
from services.errors import Message, NotFound
from services.models import Actor, Draft, DraftRequest, WorkflowName

drafts = Blueprint("drafts", __name__, url_prefix="/api/v1/drafts")

DRAFT_NOT_FOUND = Message("not_found", "There is no draft for this workflow.")


@drafts.get("/<workflow>")
@operation(example=examples.DRAFT)
def get_draft(actor: Actor, workflow: WorkflowName) -> Draft:
    """Get the draft of a workflow.

    Each user has drafts of their own, which administrators cannot read either. A read-only token
    finds none. Compare `digest` with that of the workflow to see whether the workflow has changed
    since; files of the draft may have been deleted.
    """
    draft = services().drafts.get(actor, workflow)
    if draft is None:
        raise NotFound(DRAFT_NOT_FOUND())
    return draft


@drafts.put("/<workflow>")
@operation(
    request={"content": examples.DRAFT["content"], "digest": examples.SHA256},
    example=examples.DRAFT,
)
def save_draft(actor: Actor, workflow: WorkflowName, body: DraftRequest) -> Draft:
    """Save the draft of a workflow.

    It replaces the earlier draft of the same user and workflow. `content` is returned as it was
    sent and is not validated as parameters: at most 1 MiB of JSON. A draft is deleted 30 days after
    it was last saved, and a user has at most 100 drafts: one more deletes the oldest.
    """
    return services().drafts.save(actor, workflow, body.content, digest=body.digest)


@drafts.delete("/<workflow>")
@operation()
def discard_draft(actor: Actor, workflow: WorkflowName) -> None:
    """Discard the draft of a workflow.

    Succeeds also when there is none.
    """
    services().drafts.discard(actor, workflow)
