"""Sheets: read and check tables of samples before a submission."""

from __future__ import annotations

from typing import BinaryIO, cast

from flask import Blueprint, request
from pydantic import ConfigDict, Field

from routes.http import examples, multipart, requests
from routes.http.context import services
from routes.http.operation import operation
from services.errors import Invalid, Message
from services.models import Actor, FileId, Model, WorkflowName
from services.sheets import Pairs, Sheet

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


class PairRequest(Model):
    """FASTQ files that are to be paired for a sample sheet."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    workflow: WorkflowName = Field(description="Name of a workflow in the catalogue")
    parameter: str = Field(
        min_length=1,
        max_length=200,
        description="Parameter of the workflow that is a sample sheet",
        examples=["samples"],
    )
    files: list[FileId] = Field(
        min_length=1, max_length=5000, description="Ids of registered FASTQ files"
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
    allowed host (at most 16 MiB in 20 seconds). CSV, TSV, XLSX, XLS and ODS are detected from the
    content. If no issue is an error, `records` can be submitted as the parameter. Each issue names
    its row, column and cell. Nothing is stored.
    """
    sheets, target = services().sheets, (actor, query.workflow, query.parameter)
    if query.file and query.url:
        raise Invalid(FILE_AND_URL(), field="url")
    if query.url:
        return sheets.parse_link(*target, query.url)
    return sheets.parse(*target, query.file or _table())


@sheets.post("/pair")
@operation(
    errors=(404,),
    request={"workflow": "reads-qc", "parameter": "samples", "files": [examples.FILE["id"]]},
    example=examples.PAIRS,
)
def pair_files(actor: Actor, body: PairRequest) -> Pairs:
    """Pair FASTQ files by their names.

    `records` can be submitted as the parameter of the workflow. Names are read as sequencers
    (Illumina, MGI), companies (Novogene, BGI), archives (SRA, ENA) and trimmers (Trim Galore,
    Trimmomatic, fastp) write them. Lanes are rows; unless the sheet has a column `lane`, the sample
    is then named after sample and lane. `issues` says which files were left out, and why. Nothing
    is stored.
    """
    return services().sheets.pair(actor, body.workflow, body.parameter, body.files)


def _table() -> BinaryIO:
    """Return the body of this request: raw, or the file of a form."""
    if request.mimetype == "multipart/form-data":
        return cast(BinaryIO, multipart.file_part())
    return requests.raw_body()
