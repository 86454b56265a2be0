"""Sheets: read and check tables of samples before a submission."""

from __future__ import annotations

from typing import BinaryIO, cast

from flask import Blueprint, request
from pydantic import Field

from routes.http import examples, multipart, requests
from routes.http.context import services
from routes.http.operation import operation
from services.errors import Invalid, Message
from services.models import Actor, FileId, Model, WorkflowName
from services.sheets import Sheet

sheets = Blueprint("sheets", __name__, url_prefix="/api/v1/sheets")

FILE_AND_URL = Message("conflicting_fields", "Must not be given together with `file`.")


class ParseQuery(Model):
    """The query parameters of a table."""

    workflow: WorkflowName = Field(description="Name of a workflow in the catalogue")
    parameter: str = Field(
        min_length=1,
        max_length=200,
        description="Parameter of the workflow whose `rows` in `params_schema` define the columns",
        examples=["samples"],
    )
    file: FileId | None = Field(None, description="Id of a registered file, instead of a body")
    url: str | None = Field(
        None,
        min_length=1,
        max_length=4000,
        description="URL of a table at an allowed host, instead of a body",
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

    The table is the body (raw, or a form with one file), a registered file, or at a URL of an
    allowed host (at most 16 MiB in 20 seconds). CSV, TSV and XLSX are detected from the content. If
    no issue is an error, `records` can be submitted as the parameter. Each issue names its row,
    column and cell. Nothing is stored.
    """
    sheets, target = services().sheets, (actor, query.workflow, query.parameter)
    if query.file and query.url:
        raise Invalid(FILE_AND_URL(), field="url")
    if query.url:
        return sheets.parse_link(*target, query.url)
    return sheets.parse(*target, query.file or _table())


def _table() -> BinaryIO:
    """Return the body of this request: raw, or the file of a form."""
    if request.mimetype == "multipart/form-data":
        return cast(BinaryIO, multipart.file_part())
    return requests.raw_body()
