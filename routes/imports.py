"""Imports: files that the server downloads from allowed hosts or takes from its inbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, url_for
from pydantic import Field

from routes.http import examples
from routes.http.context import services
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
    """The query parameters of a list of imports."""

    after: str | None = Field(None, max_length=200, description="`next` of the previous page")
    limit: int = Field(50, ge=1, le=MAX_PAGE_SIZE, description="Maximum number of items")


class InboxFilter(Model):
    """The query parameters of a list of inbox files."""

    text: str = Field("", max_length=200, description="Part of the path")
    limit: int = Field(200, ge=1, le=1000, description="Maximum number of items")


@imports.post("/imports")
@operation(
    status=202,
    limit="upload",
    errors=(404, 409),
    links=OF_IMPORT,
    request={"url": examples.IMPORT["url"]},
    example=examples.IMPORT,
    location=lambda created: url_for("imports.get_import", import_id=created.id),
)
def create_import(actor: Actor, body: ImportRequest) -> Import:
    """Import a file.

    From a URL whose host is listed in `import_hosts` of `GET /api/v1/limits`, or from the inbox,
    without copying if possible. The import runs in the background: poll it until `file` is set, or
    `error` says why it failed.
    """
    return services().imports.create(actor, body)


@imports.get("/imports")
@operation(example={"items": [examples.IMPORT], "next": None, "total": None, "total_capped": False})
def list_imports(actor: Actor, query: ImportPage) -> Page[Import]:
    """List imports, newest first.

    Finished imports are removed after a week; their files stay.
    """
    return services().imports.list(actor, after=query.after, limit=query.limit)


@imports.get("/imports/<import_id>")
@operation(example=examples.IMPORT)
def get_import(actor: Actor, import_id: ImportId) -> Import:
    """Get an import and its progress."""
    return services().imports.get(actor, import_id)


@imports.delete("/imports/<import_id>")
@operation()
def delete_import(actor: Actor, import_id: ImportId) -> None:
    """Cancel and remove an import.

    A running import stops within a second. A file that it has created stays.
    """
    services().imports.delete(actor, import_id)


@imports.get("/inbox")
@operation(example=[examples.INBOX_FILE])
def list_inbox(actor: Actor, query: InboxFilter) -> Sequence[InboxFile]:
    """List the files of the inbox, newest first.

    If sign-in is configured, only those in the folder with your user name; administrators see all.
    """
    return services().inbox.list(actor, text=query.text, limit=query.limit)
