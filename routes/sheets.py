"""Sheets: read and check tables of samples before a submission."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from flask import Blueprint, request
from pydantic import ConfigDict, Field

from routes.http import examples, multipart, requests
from routes.http.context import services
from routes.http.operation import operation
from services.errors import Invalid, Message, Problem
from services.models import Actor, FileId, Model, WorkflowName
from services.params.schema_errors import REQUIRED
from services.sheets import Pairs, Sheet

sheets = Blueprint("sheets", __name__, url_prefix="/api/v1/sheets")

FILE_AND_URL = Message("conflicting_fields", "Must not be given together with `file`.")
NO_FILE_OR_URL = Message("missing", "Either `file` or `url` is required.")
IN_BODY = Message(
    "conflicting_fields",
    "Must not be given together with a JSON body.",
    hint="Send it in the body.",
)

PARAMETER: dict[str, Any] = {
    "min_length": 1,
    "max_length": 200,
    "examples": ["samples"],
}
PARAMETER_HELP = "Parameter of the workflow whose `x-rows` in `params_schema` points to the columns"
URL: dict[str, Any] = {"min_length": 1, "max_length": 4000}


SHEET: dict[str, Any] = {"min_length": 1, "max_length": 200, "examples": ["Sheet1"]}
SHEET_HELP = "Name of the sheet of a workbook; default: the one that has the columns"


class ParseQuery(Model):
    """The query parameters of a table. With a JSON body there are none."""

    workflow: WorkflowName | None = Field(
        None, description="Name of a workflow in the catalogue; required without a JSON body"
    )
    parameter: str | None = Field(
        None, description=f"{PARAMETER_HELP}; required without a JSON body", **PARAMETER
    )
    file: FileId | None = Field(None, description="Id of a registered file, instead of a body")
    url: str | None = Field(
        None, description="URL of a table at an allowed host, instead of a body", **URL
    )
    sheet: str | None = Field(None, description=SHEET_HELP, **SHEET)


class ParseRequest(Model):
    """A table that Rundesk can read itself. Either `file` or `url` is required."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    workflow: WorkflowName = Field(description="Name of a workflow in the catalogue")
    parameter: str = Field(description=PARAMETER_HELP, **PARAMETER)
    file: FileId | None = Field(None, description="Id of a registered file")
    url: str | None = Field(None, description="URL of a table at an allowed host", **URL)
    sheet: str | None = Field(None, description=SHEET_HELP, **SHEET)


class PairRequest(Model):
    """FASTQ files that are to be paired for a sample sheet."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    workflow: WorkflowName = Field(description="Name of a workflow in the catalogue")
    parameter: str = Field(description=PARAMETER_HELP, **PARAMETER)
    files: list[FileId] = Field(
        min_length=1, max_length=5000, description="Ids of registered FASTQ files"
    )


BODY = multipart.FILE_BODY | {
    "application/json": {
        "schema": ParseRequest.model_json_schema(),
        "example": {
            "workflow": "amplicon-variants",
            "parameter": "samples",
            "url": "https://files.example.org/samples.csv",
        },
    }
}


@sheets.post("/parse")
@operation(
    errors=(404,),
    limit="upload",
    upload=BODY,
    upload_needed=False,
    example=examples.SHEET,
)
def parse_sheet(actor: Actor, query: ParseQuery) -> Sheet:
    """Read a table of samples.

    The table is the body (raw, or a form with one file), a registered file, or at a URL of an
    allowed host (at most 16 MiB in 20 seconds). For the last two, a JSON body may replace the query
    parameters. CSV, TSV, XLSX, XLS and ODS are detected from the content. If no issue is an error,
    `records` can be submitted as the parameter. Each issue names its row, column and cell. Nothing
    is stored.
    """
    sheets, source = services().sheets, _json_request(query) or _query_request(query)
    target = (actor, cast(str, source.workflow), cast(str, source.parameter))
    if source.file and source.url:
        raise Invalid(FILE_AND_URL(), field="url")
    if source.url:
        return sheets.parse_link(*target, source.url, source.sheet or "")
    return sheets.parse(*target, source.file or _table(), source.sheet or "")


def _json_request(query: ParseQuery) -> ParseRequest | None:
    """Return the JSON body; None if there is none. Raises Invalid for parameters in the query."""
    if request.mimetype != "application/json" or not requests.has_body():
        return None
    body = requests.read_body(ParseRequest)
    if problems := [Problem(f"query.{name}", IN_BODY()) for name in query.model_fields_set]:
        raise Invalid(problems=sorted(problems, key=lambda problem: problem.field))
    if not (body.file or body.url):
        raise Invalid(NO_FILE_OR_URL(), field="file")
    return body


def _query_request(query: ParseQuery) -> ParseQuery:
    """Return the query. Raises Invalid for a missing parameter."""
    missing = [name for name in ("workflow", "parameter") if getattr(query, name) is None]
    if missing:
        raise Invalid(problems=[Problem(f"query.{name}", REQUIRED()) for name in missing])
    return query


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
