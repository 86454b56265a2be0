"""Files: registered once, referenced by id in the parameters of runs."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from flask import Blueprint, Response, request, url_for
from pydantic import Field

from routes.http import examples, multipart, requests, responses
from routes.http.context import services
from routes.http.operation import operation
from services.models import MAX_PAGE_SIZE, Actor, File, FileId, Model, Page

files = Blueprint("files", __name__, url_prefix="/api/v1/files")

OF_FILE: dict[str, dict[str, Any]] = {
    name: {"operationId": name, "parameters": {"file_id": "$response.body#/data/id"}}
    for name in ("get_file", "get_file_content", "delete_file")
}


class UploadQuery(Model):
    """The query parameters of an upload."""

    name: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="Name of the file. Required for a raw body; overrides the filename in a form",
        examples=["reads.fastq.gz"],
    )


class FileFilter(Model):
    """The query parameters of a list of files."""

    text: str = Field("", max_length=200, description="Part of the name")
    kind: str = Field(
        "", max_length=50, description="Kind of file: fasta, fastq, table, … or other"
    )
    after: str | None = Field(None, max_length=200, description="`next` of the previous page")
    limit: int = Field(50, ge=1, le=MAX_PAGE_SIZE, description="Maximum number of items")


@files.post("")
@operation(
    status=201,
    limit="upload",
    errors=(507,),
    upload=multipart.FILE_BODY,
    links=OF_FILE,
    example=examples.FILE,
    location=lambda file: url_for("files.get_file", file_id=file.id),
)
def upload_file(actor: Actor, query: UploadQuery) -> File:
    """Upload a file.

    The body is the content itself, with `?name=`, or a form with one file (`multipart/form-data`).
    Content-Length is optional. An incomplete upload leaves nothing behind. Uploading the same name
    and content again returns the existing file.
    """
    if request.mimetype == "multipart/form-data":
        part = multipart.file_part()
        stream, name, size = cast(BinaryIO, part), query.name or part.name, None
    else:
        stream, name, size = requests.raw_body(), query.name or "", request.content_length
    return services().files.register(actor, name, stream, size=size)


@files.get("")
@operation(
    example={"items": [examples.FILE], "next": None, "total": None, "total_capped": False},
    links={
        "get_file": {
            "operationId": "get_file",
            "parameters": {"file_id": "$response.body#/data/items/0/id"},
        },
    },
)
def list_files(actor: Actor, query: FileFilter) -> Page[File]:
    """List files, newest first.

    Send `next` as `after` to get the next page.
    """
    return services().files.list(actor, **dict(query))


@files.get("/<file_id>")
@operation(example=examples.FILE)
def get_file(actor: Actor, file_id: FileId) -> File:
    """Get a file."""
    return services().files.get(actor, file_id)


@files.get("/<file_id>/content")
@operation(media=responses.BYTES)
def get_file_content(actor: Actor, file_id: FileId) -> Response:
    """Download the content of a file.

    `Range`, `If-Range` and `If-None-Match` are supported; the ETag is the SHA-256 checksum.
    """
    file = services().files.get(actor, file_id)
    return responses.download(services().files.path(actor, file_id), file.name, sha256=file.sha256)


@files.delete("/<file_id>")
@operation(errors=(409,))
def delete_file(actor: Actor, file_id: FileId) -> None:
    """Delete a file.

    A file that a run uses cannot be deleted (409).
    """
    services().files.delete(actor, file_id)
