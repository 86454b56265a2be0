"""The schemas of a workflow: of its parameters, and of the rows of its sample sheets.

Without a schema one is inferred from the workflow's configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from services.errors import Message, Text
from services.params import refs
from services.params.schema import groups, is_file

CONFIGS = ("config/config.yaml", "config/config.yml", "config.yaml")
SCHEMAS = tuple(
    f"{folder}/{name}"
    for folder in ("workflow/schemas", "schemas", "config")
    for name in ("config.schema.yaml", "config.schema.yml", "config.schema.json", "schema.yaml")
)

UNREADABLE = Message("invalid_workflow", "{file} cannot be read: {error}.")
NOT_A_MAPPING = Message("invalid_workflow", "{file} must contain names and their values.")
INVALID_SCHEMA = Message("invalid_workflow", "{file} is not a valid schema at {path}: {error}.")
INVALID_REFERENCE = Message(
    "invalid_workflow", "The references of {file} cannot be resolved. {problem}"
)
ROW_SCHEMA_MISSING = Message(
    "invalid_workflow", "The schema {file} of the sample sheet {name} is not in the workflow."
)
ROW_SCHEMA_WITHOUT_COLUMNS = Message(
    "invalid_workflow", "{file} must define the columns of the sample sheet as properties."
)

#: libyaml, which is in the wheels of PyYAML, reads a schema several times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Broken(Exception):
    """The files of a workflow are missing or invalid; `text` says which and why."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(str(text))


def schema_of(folder: Path, files: Mapping[str, str], sheets: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON Schema of a workflow's parameters, inferred if the workflow has none.

    `files` and `sheets` are those of its manifest: parameter to name pattern of its files, and
    parameter to path of the schema of its rows. Raises Broken.
    """
    path = first(folder, SCHEMAS)
    schema = mapping(path) if path else infer(default_config(folder))
    name = str(path.relative_to(folder)) if path else "the inferred schema"
    _check_schema(schema, name)
    schema = _inline(schema, name)
    for group in groups(schema):
        for name, pattern in files.items():
            if name in group.fields:
                group.fields[name]["format"] = "file-path"
                if pattern:
                    group.fields[name]["pattern"] = pattern
        for name, rows in sheets.items():
            if name in group.fields:
                group.fields[name] |= {"format": "file-path", "schema": rows}
        _read_rows(group.fields, folder, path)
    return schema


def _read_rows(fields: Mapping[str, dict[str, Any]], folder: Path, schema: Path | None) -> None:
    """Put the schema of the rows of each sample sheet into its field, as `rows`.

    Its path is relative to the schema that names it, or to the workflow's folder. Raises Broken.
    """
    for name, field in fields.items():
        path = field.get("schema")
        if not is_file(field) or not isinstance(path, str):
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


def infer(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema for a configuration without one: its keys, with its values as defaults."""
    return {
        "type": "object",
        "properties": {str(name): _infer_field(value) for name, value in config.items()},
    }


def _infer_field(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"type": "boolean", "default": value}
        case int():
            return {"type": "integer", "default": value}
        case float():
            return {"type": "number", "default": value}
        case list():
            types = {_infer_field(item)["type"] for item in value if item is not None}
            items = {"type": types.pop()} if len(types) == 1 else {}
            return {"type": "array", "items": items, "default": value}
        case dict():
            return {**infer(value), "additionalProperties": True}
        case None:
            return {"type": ["string", "number", "boolean", "null"], "default": None}
        case _:
            return {"type": "string", "default": str(value)}


def default_config(folder: Path) -> dict[str, Any]:
    """Return the workflow's own `config/config.yaml`, {} if it has none. Raises Broken."""
    path = first(folder, CONFIGS)
    return mapping(path) if path else {}


def first(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the first of these files that exists."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


def mapping(path: Path) -> dict[str, Any]:
    """Return the content of a YAML or JSON file of names and values. Raises Broken."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise Broken(UNREADABLE(file=path.name, error=reason)) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Broken(NOT_A_MAPPING(file=path.name))
    return content
