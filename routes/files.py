"""Files to run on: registered once, named by their id in the parameters of runs."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from flask import Blueprint, Response, request, url_for
from pydantic import Field

from routes.http import examples, multipart, requests, responses
from routes.http.context import desk
from routes.http.operation import operation
from services.models import MAX_PAGE_SIZE, Actor, File, FileId, Model, Page

files = Blueprint("files", __name__, url_prefix="/api/v1/files")

OF_FILE: dict[str, dict[str, Any]] = {
    name: {"operationId": name, "parameters": {"file_id": "$response.body#/data/id"}}
    for name in ("get_file", "get_file_content", "delete_file")
}


class Upload(Model):
    """What to call a file."""

    name: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="Name of the file. A raw body needs it; a form's part has a name of its own",
        examples=["reads.fastq.gz"],
    )


class FileFilter(Model):
    """Which files to list."""

    text: str = Field("", max_length=200, description="Part of the name")
    kind: str = Field("", max_length=50, description="fasta, fastq, table, … or other")
    after: str | None = Field(None, max_length=200, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=MAX_PAGE_SIZE, description="How many at most")


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
def upload_file(actor: Actor, query: Upload) -> File:
    """Upload a file.

    Either the bytes as the body with `?name=`, or a form with one file (`multipart/form-data`).
    With or without Content-Length. An upload that is cut leaves nothing behind. The same name and
    content again gives the file that is there.
    """
    if request.mimetype == "multipart/form-data":
        part = multipart.file_part()
        stream, name, size = cast(BinaryIO, part), query.name or part.name, None
    else:
        stream, name, size = requests.raw_body(), query.name or "", request.content_length
    return desk().files.register(actor, name, stream, size=size)


@files.get("")
@operation(
    example={"items": [examples.FILE], "next": None},
    links={
        "get_file": {
            "operationId": "get_file",
            "parameters": {"file_id": "$response.body#/data/items/0/id"},
        },
    },
)
def list_files(actor: Actor, query: FileFilter) -> Page[File]:
    """List files, newest first.

    `next` is the token of the page after this one, for `after`.
    """
    return desk().files.list(actor, **dict(query))


@files.get("/<file_id>")
@operation(example=examples.FILE)
def get_file(actor: Actor, file_id: FileId) -> File:
    """Get one file's record."""
    return desk().files.get(actor, file_id)


@files.get("/<file_id>/content")
@operation(media=responses.BYTES)
def get_file_content(actor: Actor, file_id: FileId) -> Response:
    """Download a file.

    `Range`, `If-Range` and `If-None-Match` are understood; the ETag is the sha256.
    """
    file = desk().files.get(actor, file_id)
    return responses.download(desk().files.path(actor, file_id), file.name, sha256=file.sha256)


@files.delete("/<file_id>")
@operation(errors=(409,))
def delete_file(actor: Actor, file_id: FileId) -> None:
    """Delete a file.

    Not while a run uses it.
    """
    desk().files.delete(actor, file_id)
