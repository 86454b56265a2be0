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

from services.params import refs
from services.params.schema import groups, is_file

CONFIGS = ("config/config.yaml", "config/config.yml", "config.yaml")
SCHEMAS = tuple(
    f"{folder}/{name}"
    for folder in ("workflow/schemas", "schemas", "config")
    for name in ("config.schema.yaml", "config.schema.yml", "config.schema.json", "schema.yaml")
)


#: With libyaml, which is in the wheels of PyYAML, a schema is read several times as fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Broken(Exception):
    """A workflow's files do not fit; the message says which and why."""


def schema_of(folder: Path, files: Mapping[str, str], sheets: Mapping[str, str]) -> dict[str, Any]:
    """The schema of a workflow's parameters; one is inferred where there is none.

    `files` and `sheets` are what its manifest says of parameters: name patterns of files, and where
    the schema of a sheet's rows lies. Raises Broken.
    """
    found = first(folder, SCHEMAS)
    schema = mapping(found) if found else infer(default_config(folder))
    name = str(found.relative_to(folder)) if found else "the inferred schema"
    _check_schema(schema, name)
    schema = _inlined(schema, name)
    for group in groups(schema):
        for name, pattern in files.items():
            if name in group.fields:
                group.fields[name]["format"] = "file-path"
                if pattern:
                    group.fields[name]["pattern"] = pattern
        for name, place in sheets.items():
            if name in group.fields:
                group.fields[name] |= {"format": "file-path", "schema": place}
        _read_rows(group.fields, folder, found)
    return schema


def _read_rows(fields: Mapping[str, dict[str, Any]], folder: Path, schema: Path | None) -> None:
    """Put the schema of the rows of each sample sheet into its field, as `rows`.

    It is looked for beside the schema that names it, then in the workflow's folder. Raises Broken.
    """
    for name, field in fields.items():
        place = field.get("schema")
        if not is_file(field) or not isinstance(place, str):
            continue
        beside = [schema.parent / place] if schema else []
        known = [path for path in [*beside, folder / place] if path.is_file()]
        if not known or not known[0].resolve().is_relative_to(folder.resolve()):
            raise Broken(f"The schema {place} of the sample sheet {name} is not in the workflow.")
        rows = mapping(known[0])
        inner = rows.get("items", rows)
        if not isinstance(inner, dict) or not isinstance(inner.get("properties"), dict):
            raise Broken(f"{place} must name the columns of a sheet as properties.")
        _check_schema(rows, place)
        field["rows"] = _inlined(rows, place)


def _inlined(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """With what its parts refer to in their places: forms and files then follow no reference."""
    try:
        found: dict[str, Any] = refs.inlined(schema, schema)
    except LookupError as error:
        raise Broken(f"{name}: {error.args[0]}.") from error
    return found


def _check_schema(schema: dict[str, Any], name: str) -> None:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path))
        raise Broken(f"{name}: {where}: {error.message[:300]}.") from error


def infer(config: Mapping[str, Any]) -> dict[str, Any]:
    """A schema for a configuration that has none: its keys, with its values as defaults."""
    return {
        "type": "object",
        "properties": {str(name): _inferred(value) for name, value in config.items()},
    }


def _inferred(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"type": "boolean", "default": value}
        case int():
            return {"type": "integer", "default": value}
        case float():
            return {"type": "number", "default": value}
        case list():
            kinds = {_inferred(item)["type"] for item in value if item is not None}
            items = {"type": kinds.pop()} if len(kinds) == 1 else {}
            return {"type": "array", "items": items, "default": value}
        case dict():
            return {**infer(value), "additionalProperties": True}
        case None:
            return {"type": ["string", "number", "boolean", "null"], "default": None}
        case _:
            return {"type": "string", "default": str(value)}


def default_config(folder: Path) -> dict[str, Any]:
    """The workflow's own `config/config.yaml`; empty when it has none. Raises Broken."""
    found = first(folder, CONFIGS)
    return mapping(found) if found else {}


def first(folder: Path, names: Sequence[str]) -> Path | None:
    """The first of these files that there is."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


def mapping(path: Path) -> dict[str, Any]:
    """What a YAML or JSON file holds. Raises Broken."""
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, OSError) as error:
        where = " ".join(str(error).split())
        raise Broken(f"{path.name} cannot be read: {where[:300]}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Broken(f"{path.name} must hold names and values.")
    return found
