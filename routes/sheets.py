"""Sheets: tables of samples read and checked before they are submitted."""

from __future__ import annotations

from typing import BinaryIO, cast

from flask import Blueprint, request
from pydantic import Field

from routes.http import examples, multipart, requests
from routes.http.context import desk
from routes.http.operation import operation
from services.errors import Invalid
from services.models import Actor, FileId, Model, WorkflowName
from services.sheets import Sheet

sheets = Blueprint("sheets", __name__, url_prefix="/api/v1/sheets")


class ParseQuery(Model):
    """Which table is asked for, and where it is when it is not the body."""

    workflow: WorkflowName = Field(description="Name of a workflow in the catalogue")
    parameter: str = Field(
        min_length=1,
        max_length=200,
        description="Its parameter whose `rows` in `params_schema` say what a row may hold",
        examples=["samples"],
    )
    file: FileId | None = Field(None, description="A registered file, in place of a body")
    url: str | None = Field(
        None,
        min_length=1,
        max_length=4000,
        description="Address of a table at a host that is allowed here, in place of a body",
    )


@sheets.post("/parse")
@operation(
    errors=(404,),
    limit="upload",
    upload=multipart.FILE_BODY,
    upload_needed=False,
    example=examples.SHEET,
)
def parse_sheet(actor: Actor, query: ParseQuery) -> Sheet:
    """Read a table of samples.

    The table is the body (raw, or one file of a form), a registered file, or at the address of an
    allowed host (16 MiB within 20 seconds): csv, tsv or xlsx, told from its content. `records` fit
    the parameter of a submission as they are, once `issues` hold no error; each issue names its
    row, column and cell. Nothing is stored.
    """
    sheets, asked = desk().sheets, (actor, query.workflow, query.parameter)
    if query.file and query.url:
        raise Invalid("Give a file or an address, not both.", field="url")
    if query.url:
        return sheets.parse_link(*asked, query.url)
    return sheets.parse(*asked, query.file or _table())


def _table() -> BinaryIO:
    """The body of this request, raw or as a form's file."""
    if request.mimetype == "multipart/form-data":
        return cast(BinaryIO, multipart.file_part())
    return requests.raw_body()
