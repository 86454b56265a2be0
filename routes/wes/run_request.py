"""What a WES client sends, read as what our services take. Pure functions.

The rules are those of RunWorkflow and RunRequest in docs/specs/wes-1.1.0.yaml; where a schema there
is only "string", the text is what RunRequest says of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from pathlib import PurePosixPath

from routes.http import requests
from routes.wes.schemas import TYPE, Json, snakemake_versions
from services.errors import Invalid, Problem
from services.params import file_values, validation
from services.params.file_names import accepted_name

PAGE, LARGEST_PAGE = 50, 200  # items
WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
LEAST, MOST = -(2**63), 2**63 - 1  # page_size is an int64


def page_size(text: str | None) -> int:
    """How many items to send at most; a preference, so one that cannot be met gives the default."""
    if text is None:
        return PAGE
    if not WHOLE.fullmatch(text) or not LEAST <= int(text) <= MOST:
        raise Invalid("This must be a whole number of 64 bits.", field="page_size")
    return min(int(text), LARGEST_PAGE) if int(text) > 0 else PAGE


def check_request(fields: Mapping[str, str]) -> None:
    """Refuse a RunRequest that asks for what is not here. Raises Invalid with every problem.

    Fields beyond those of the standard are allowed by its document, and ignored.
    """
    problems = []
    wanted = {
        "workflow_type": [TYPE],
        "workflow_type_version": snakemake_versions(),
        "workflow_engine": ["snakemake"],
        "workflow_engine_version": snakemake_versions(),
    }
    for name, known in wanted.items():
        needed = name.startswith("workflow_type")
        if (needed or fields.get(name)) and fields.get(name) not in known:
            problems.append(Problem(name, f"This must be one of {', '.join(known)}."))
    if not fields.get("workflow_url"):
        problems.append(Problem("workflow_url", "This is needed."))
    if problems:
        raise Invalid("The request does not fit.", problems=problems)
    if json_object(fields, "workflow_engine_parameters"):
        hint = "The operators of the desk choose them."
        raise Invalid("None are taken.", field="workflow_engine_parameters", hint=hint)


def json_object(fields: Mapping[str, str], name: str) -> Json:
    """A field that holds a JSON object as text; empty when it is not there. Raises Invalid."""
    text = fields.get(name, "").strip()
    if not text:
        return {}
    try:
        requests.check_json(text.encode())
    except Invalid as error:
        problems = [Problem(name, f"{one.message} {one.field}", one.hint) for one in error.problems]
        raise Invalid(error.message, problems=problems) from None
    value = json.loads(text)
    if not isinstance(value, dict):
        raise Invalid("This must be a JSON object.", field=name)
    return value


def tags_to_keep(fields: Mapping[str, str]) -> list[str]:
    """The tags of a RunRequest as a run's tags, "key=value". Raises Invalid."""
    tags = json_object(fields, "tags")
    for key, value in tags.items():
        if not isinstance(value, str):
            raise Invalid("The values of tags must be text.", field=f"tags.{key[:50]}")
        if not key or "=" in key:
            raise Invalid("A tag needs a name, without '='.", field=f"tags.{key[:50]}")
    return [f"{key}={value}" for key, value in tags.items()]


def workflow_name(url: str, bases: Sequence[str]) -> str:
    """The workflow that `workflow_url` names: by its name, or by its address at one of `bases`."""
    for base in bases:
        url = url.removeprefix(f"{base}/api/v1/workflows/")
    return url


def attachment_name(name: str) -> str:
    """The name of an attachment, as parameters refer to it.

    "Filenames may include subdirectories, but must not include references to parent directories
    with '..'" (RunWorkflow). Raises Invalid.
    """
    path = PurePosixPath(name)
    hostile = ".." in path.parts or path.is_absolute() or "\\" in name or not name.isprintable()
    if hostile or not path.name or len(path.name) > 255 or len(name) > 1000:
        hint = "Send a relative path without '..' and control characters."
        raise Invalid("This filename is not taken.", field="workflow_attachment", hint=hint)
    return str(path)


def check_params(schema: Json, given: Json, attached: Container[str]) -> None:
    """Refuse parameters, and attachments that they name, which a submission would refuse later."""
    validation.check(schema, given)
    for value in file_values.file_values(schema, given):
        name = str(PurePosixPath(str(value.value)))
        if name in attached and accepted_name(name, value.pattern) is None:
            hint = f"Its name must match {value.pattern}"
            field = f"workflow_params.{value.dotted_path}"
            raise Invalid(f"{name} is not a file of this kind.", field=field, hint=hint)


def with_files(
    schema: Json, given: Json, attached: Mapping[str, str], bases: Sequence[str]
) -> Json:
    """Parameters with file ids in place of the attachments and addresses of files they name.

    `attached` is id by name; an attachment that has none yet stays as it is.
    """
    changed = dict(given)
    for value in list(file_values.file_values(schema, given)):
        if not isinstance(value.value, str):
            continue
        file_id = attached.get(str(PurePosixPath(value.value)), "")
        for base in bases:
            found = re.fullmatch(
                re.escape(base) + r"/api/v1/files/([0-9a-f]{24})(/content)?", value.value
            )
            file_id = found[1] if found else file_id
        if file_id:
            changed = file_values.with_file(changed, value, file_id)
    return changed
