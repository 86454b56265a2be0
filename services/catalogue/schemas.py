"""The form of a workflow, and the schemas of the rows of its sample sheets."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from services.catalogue import config_files
from services.catalogue.configuration import (
    Broken,
    Configuration,
    configuration_of,
    mapping,
)
from services.catalogue.form_schema import form_schema
from services.catalogue.recognition import observed, recognise
from services.errors import Message, Text
from services.params import refs
from services.params.schema import Schema, groups, is_file

INVALID_SCHEMA = Message("invalid_workflow", "{file} is not a valid schema at {path}: {error}.")
INVALID_REFERENCE = Message(
    "invalid_workflow", "The references of {file} cannot be resolved. {problem}"
)
IGNORED_PART = Message(
    "workflow_remark", "{file} is not a valid schema at {path}, which is ignored: {error}."
)
IGNORED_REFERENCE = Message(
    "workflow_remark", "The reference {reference} in {file} points to nothing and is ignored."
)
IGNORED_SCHEMA = Message("workflow_remark", "{file} is ignored. {problem}")
ROW_SCHEMA_MISSING = Message(
    "invalid_workflow", "The schema {file} of the sample sheet {name} is not in the workflow."
)
ROW_SCHEMA_WITHOUT_COLUMNS = Message(
    "invalid_workflow", "{file} must define the columns of the sample sheet as properties."
)

MAX_SLIPS = 50  # invalid parts of a schema that are left out


@dataclass(frozen=True)
class Form:
    """The form of a workflow, and what its files say about its configuration."""

    schema: Schema  # of the parameters
    configuration: Configuration
    remarks: tuple[Text, ...] = ()  # parts of the workflow's own schema that are left out


def form_of(
    folder: Path,
    files: Mapping[str, str],
    sheets: Mapping[str, str],
    *,
    replaced: Mapping[str, str] | None = None,
) -> Form:
    """Return the form of the workflow in a folder.

    `files` and `sheets` are those of its manifest: parameter to name pattern of its files, and
    parameter to path of the schema of its rows. `replaced` holds texts that take the place of
    configuration files. Raises Broken.
    """
    seen = observed(folder)
    configuration = configuration_of(
        folder,
        replaced=replaced,
        paths=seen.configfiles if seen else (),
        schema=seen.config_schema if seen else None,
    )
    path = folder / configuration.schema if configuration.schema else None
    schema, remarks = _own_schema(path, configuration.schema)
    _apply_manifest(schema, files, sheets)
    _read_rows(schema, folder, path)
    facts = recognise(folder, configuration.values, schema)
    form = form_schema(schema, configuration, facts)
    _apply_manifest(form, files, sheets)  # to what is inferred
    _read_rows(form, folder, path)
    return Form(form, configuration, tuple(remarks))


def _apply_manifest(schema: Schema, files: Mapping[str, str], sheets: Mapping[str, str]) -> None:
    """Mark the parameters that are files or sample sheets by the manifest of the workflow."""
    for group in groups(schema):
        for name, pattern in files.items():
            if name in group.fields:
                group.fields[name]["format"] = "file-path"
                if pattern:
                    group.fields[name]["pattern"] = pattern
        for name, rows in sheets.items():
            if name in group.fields:
                group.fields[name] |= {"format": "file-path", "schema": rows}


def _own_schema(path: Path | None, name: str) -> tuple[Schema, list[Text]]:
    """Return the usable parts of a workflow's own schema, with its references replaced."""
    if path is None:
        return {}, []
    schema, remarks = usable(config_files.as_json(mapping(path)), name)
    remarks += _follow_references(schema, path, name)
    try:
        return _inline(schema, name), remarks
    except Broken as error:
        return {}, [*remarks, IGNORED_SCHEMA(file=name, problem=error.text)]


def _follow_references(schema: Schema, path: Path, name: str) -> list[Text]:
    """Replace references to other files in place; remove those that point to nothing."""
    remarks, waiting = [], list[Any]([schema])
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
            continue
        if not isinstance(part, dict):
            continue
        reference = part.get("$ref")
        if isinstance(reference, str):
            file, hash_, pointer = reference.partition("#")
            other = _other_schema(path.parent / file) if file else schema
            node = refs.target(other, f"{hash_}{pointer}" or "#")
            if node is None:
                del part["$ref"]
                remarks.append(IGNORED_REFERENCE(file=name, reference=reference))
            elif file:
                del part["$ref"]
                with contextlib.suppress(refs.BadReference):
                    part |= {**refs.inlined(node, other), **part}
        waiting += part.values()
    return remarks


def _other_schema(path: Path) -> Schema:
    try:
        schema: Schema = config_files.as_json(mapping(path)) if path.is_file() else {}
    except Broken:
        return {}
    return schema


def usable(schema: Schema, name: str) -> tuple[Schema, list[Text]]:
    """Return a schema without its invalid parts, and a remark about each of them.

    Snakemake tolerates what it does not come across, such as a keyword one level too deep.
    """
    schema, remarks = copy.deepcopy(schema), list[Text]()
    for _ in range(MAX_SLIPS):
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            place = [*error.absolute_path]
            shown = ".".join(map(str, place)) or "the top level"
            reason = error.message[:300].rstrip(".")
            remarks.append(IGNORED_PART(file=name, path=shown, error=reason))
            if not _remove(schema, place):
                return {}, remarks
        else:
            return schema, remarks
    return {}, remarks


def _remove(schema: Any, path: Sequence[str | int]) -> bool:
    """Remove the innermost part at a path that is the value of a key."""
    for end in range(len(path) - 1, -1, -1):
        parent = schema
        for step in path[:end]:
            parent = parent[step]
        if isinstance(parent, dict):
            del parent[path[end]]
            return True
    return False


def _read_rows(form: Schema, folder: Path, schema: Path | None) -> None:
    """Put the schema of the rows of each sample sheet into its field, as `rows`.

    Its path is relative to the schema that names it, or to the workflow's folder. Raises Broken.
    """
    fields = [item for group in groups(form) for item in group.fields.items()]
    for name, field in fields:
        path = field.get("schema")
        if not is_file(field) or not isinstance(path, str) or "rows" in field:
            continue
        folders = [schema.parent, folder] if schema else [folder]
        existing = [parent / path for parent in folders if (parent / path).is_file()]
        if not existing or not existing[0].resolve().is_relative_to(folder.resolve()):
            raise Broken(ROW_SCHEMA_MISSING(file=path, name=name))
        rows = mapping(existing[0])
        inner = rows.get("items", rows)
        if not isinstance(inner, dict) or not isinstance(inner.get("properties"), dict):
            raise Broken(ROW_SCHEMA_WITHOUT_COLUMNS(file=path))
        _check_schema(rows, path)
        field["rows"] = _inline(rows, path)


def _inline(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a schema with its references replaced, so that other code need not follow them."""
    try:
        inlined: dict[str, Any] = refs.inlined(schema, schema)
    except refs.BadReference as error:
        raise Broken(INVALID_REFERENCE(file=name, problem=error.text)) from error
    return inlined


def _check_schema(schema: dict[str, Any], name: str) -> None:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        path = ".".join(map(str, error.absolute_path)) or "the top level"
        raise Broken(INVALID_SCHEMA(file=name, path=path, error=error.message[:300])) from error


def first(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the first of these files that exists."""
    return next((folder / name for name in names if (folder / name).is_file()), None)
