"""Imports: files that the desk fetches itself, from allowed hosts or from its inbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, url_for
from pydantic import Field

from routes.http import examples
from routes.http.context import desk
from routes.http.operation import operation
from services.models import (
    MAX_PAGE_SIZE,
    Actor,
    Import,
    ImportId,
    ImportRequest,
    InboxFile,
    Model,
    Page,
)

imports = Blueprint("imports", __name__, url_prefix="/api/v1")

OF_IMPORT: dict[str, dict[str, Any]] = {
    name: {"operationId": name, "parameters": {"import_id": "$response.body#/data/id"}}
    for name in ("get_import", "delete_import")
}


class ImportPage(Model):
    """Which imports to list."""

    after: str | None = Field(None, max_length=200, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=MAX_PAGE_SIZE, description="How many at most")


class InboxFilter(Model):
    """Which files of the inbox to list."""

    text: str = Field("", max_length=200, description="Part of the path")
    limit: int = Field(200, ge=1, le=1000, description="How many at most")


@imports.post("/imports")
@operation(
    status=202,
    limit="upload",
    errors=(404, 409),
    links=OF_IMPORT,
    request={"url": examples.IMPORT["url"]},
    example=examples.IMPORT,
    location=lambda made: url_for("imports.get_import", import_id=made.id),
)
def create_import(actor: Actor, body: ImportRequest) -> Import:
    """Have a file fetched.

    From an address whose host is among `import_hosts` of `GET /api/v1/limits`, or from the inbox,
    where it is registered without copying if that is possible. It is done in the background: ask
    for the import until `file` is there, or `error` says why not.
    """
    return desk().imports.create(actor, body)


@imports.get("/imports")
@operation(example={"items": [examples.IMPORT], "next": None})
def list_imports(actor: Actor, query: ImportPage) -> Page[Import]:
    """List imports, newest first.

    Those that ended are forgotten after a week; the files stay.
    """
    return desk().imports.list(actor, after=query.after, limit=query.limit)


@imports.get("/imports/<import_id>")
@operation(example=examples.IMPORT)
def get_import(actor: Actor, import_id: ImportId) -> Import:
    """Get one import, and how far it is."""
    return desk().imports.get(actor, import_id)


@imports.delete("/imports/<import_id>")
@operation()
def delete_import(actor: Actor, import_id: ImportId) -> None:
    """End an import and forget it.

    One at work stops within a second. A file that it became stays.
    """
    desk().imports.delete(actor, import_id)


@imports.get("/inbox")
@operation(example=[examples.INBOX_FILE])
def list_inbox(actor: Actor, query: InboxFilter) -> Sequence[InboxFile]:
    """List the files of the inbox, newest first.

    Where sign-in is on, those in the folder of the user's own name; an administrator sees all.
    """
    return desk().inbox.list(actor, text=query.text, limit=query.limit)
