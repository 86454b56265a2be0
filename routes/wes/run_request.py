"""The RunRequest of a WES client as a submission to our services. Pure functions.

The rules are those of RunWorkflow and RunRequest in docs/specs/wes-1.1.0.yaml. Where a field of the
form is only a "string" there, its content follows the schema of the same field in RunRequest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from pathlib import PurePosixPath

from routes.http import requests
from routes.wes.schemas import TYPE, Json, snakemake_versions
from services.errors import Invalid, Message, Problem
from services.models import MAX_PAGE_SIZE
from services.params import file_values, model_errors, validation

DEFAULT_PAGE_SIZE = 50  # items
INTEGER = re.compile(r"[+-]?[0-9]{1,19}")

NOT_INT64 = Message("wrong_type", "Must be a 64-bit integer.")
NO_ENGINE_PARAMETERS = Message(
    "not_allowed",
    "Engine parameters are not supported.",
    hint="Administrators of the server configure the engine.",
)
TAG_NOT_A_STRING = Message("wrong_type", "The values of tags must be strings.")
INVALID_TAG_NAME = Message("wrong_format", "A tag must have a name without '='.")
INVALID_FILENAME = Message(
    "wrong_format",
    "The filename of an attachment is invalid.",
    hint="Send a relative path without '..' and control characters.",
)
WRONG_KIND_OF_FILE = Message(
    "wrong_kind_of_file",
    "{name} is not the kind of file that this parameter takes.",
    hint="See the pattern of the parameter in the params_schema of the workflow.",
)


def page_size(text: str | None) -> int:
    """Return the page size. It is a preference: one that cannot be met gives the default."""
    if text is None:
        return DEFAULT_PAGE_SIZE
    is_integer = INTEGER.fullmatch(text)
    if not is_integer or not requests.MIN_INT64 <= int(text) <= requests.MAX_INT64:
        raise Invalid(NOT_INT64(), field="page_size")
    return min(int(text), MAX_PAGE_SIZE) if int(text) > 0 else DEFAULT_PAGE_SIZE


def check_request(fields: Mapping[str, str]) -> None:
    """Check the type, engine and versions of a RunRequest. Raises Invalid with every problem.

    Fields that are not in the standard are ignored, as it says.
    """
    problems = []
    allowed = {
        "workflow_type": [TYPE],
        "workflow_type_version": snakemake_versions(),
        "workflow_engine": ["snakemake"],
        "workflow_engine_version": snakemake_versions(),
    }
    for name, values in allowed.items():
        required = name.startswith("workflow_type")
        if (required or fields.get(name)) and fields.get(name) not in values:
            problems.append(Problem(name, model_errors.not_allowed(values)))
    if not fields.get("workflow_url"):
        problems.append(Problem("workflow_url", model_errors.REQUIRED()))
    if problems:
        raise Invalid(problems=problems)
    if json_object(fields, "workflow_engine_parameters"):
        raise Invalid(NO_ENGINE_PARAMETERS(), field="workflow_engine_parameters")


def json_object(fields: Mapping[str, str], name: str) -> Json:
    """Return a field with a JSON object as text; {} if it is missing. Raises Invalid."""
    text = fields.get(name, "").strip()
    if not text:
        return {}
    try:
        requests.check_json(text.encode())
    except Invalid as error:
        problems = [problem.at(_inside(name, problem.field)) for problem in error.problems]
        raise Invalid(problems=problems) from None
    value = json.loads(text)
    if not isinstance(value, dict):
        raise Invalid(model_errors.NOT_AN_OBJECT(), field=name)
    return value


def _inside(name: str, field: str) -> str:
    """Return the name of a field of the object in the field `name`."""
    return name if field in ("", "body") else requests.field_name(name, field)


def run_tags(fields: Mapping[str, str]) -> list[str]:
    """Return the tags of a RunRequest as tags of a run: "key=value". Raises Invalid."""
    tags = json_object(fields, "tags")
    for key, value in tags.items():
        if not isinstance(value, str):
            raise Invalid(TAG_NOT_A_STRING(), field=f"tags.{key[:50]}")
        if not key or "=" in key:
            raise Invalid(INVALID_TAG_NAME(), field=f"tags.{key[:50]}")
    return [f"{key}={value}" for key, value in tags.items()]


def workflow_name(url: str, bases: Sequence[str]) -> str:
    """Return the name of the workflow that `workflow_url` means: a name, or a URL below `bases`."""
    for base in bases:
        url = url.removeprefix(f"{base}/api/v1/workflows/")
    return url


def attachment_name(name: str) -> str:
    """Return the name of an attachment as parameters use it.

    "Filenames may include subdirectories, but must not include references to parent directories
    with '..'" (RunWorkflow). Raises Invalid.
    """
    path = PurePosixPath(name)
    hostile = ".." in path.parts or path.is_absolute() or "\\" in name or not name.isprintable()
    if hostile or not path.name or len(path.name) > 255 or len(name) > 1000:
        raise Invalid(INVALID_FILENAME(), field="workflow_attachment")
    return str(path)


def check_params(schema: Json, given: Json, attached: Container[str]) -> None:
    """Check parameters, and the attachments that they name, before anything is stored."""
    validation.check(schema, given)
    for value in file_values.file_values(schema, given):
        name = str(PurePosixPath(str(value.value)))
        if name in attached and value.pattern and not re.search(value.pattern, name):
            field = f"workflow_params.{value.dotted_path}"
            raise Invalid(WRONG_KIND_OF_FILE(name=name), field=field)


def with_files(
    schema: Json, given: Json, attached: Mapping[str, str], bases: Sequence[str]
) -> Json:
    """Return the parameters with file ids instead of names of attachments and URLs of files.

    `attached` maps names of attachments to file ids; other values stay the same.
    """
    changed = dict(given)
    for value in list(file_values.file_values(schema, given)):
        if not isinstance(value.value, str):
            continue
        file_id = attached.get(str(PurePosixPath(value.value)), "")
        for base in bases:
            match = re.fullmatch(
                re.escape(base) + r"/api/v1/files/([0-9a-f]{24})(/content)?", value.value
            )
            file_id = match[1] if match else file_id
        if file_id:
            changed = file_values.with_file(changed, value, file_id)
    return changed
