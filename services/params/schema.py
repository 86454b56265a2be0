"""A workflow's JSON Schema (2020-12), grouped or flat.

Groups follow the nf-core convention: object schemas under `$defs` (or `definitions`), pulled in by
`allOf` at the top. A file parameter has one of FILE_FORMATS; its value is the id of a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.params import conditions, refs

Schema = dict[str, Any]
FILE_FORMATS = frozenset({"file-path", "path"})
FOLDER_FORMAT = "directory-path"  # of an array of files


@dataclass(frozen=True)
class Group:
    """Parameters that belong together, in the order of the schema."""

    title: str
    description: str
    fields: dict[str, Schema]
    required: frozenset[str]


def groups(schema: Schema) -> list[Group]:
    """Return the groups of a schema; parameters outside any group come first, without a title."""
    parts = [{**schema, "title": "", "description": ""}] if schema.get("properties") else []
    parts += [_resolved(schema, part) for part in schema.get("allOf", [])]
    return [
        Group(
            title=part.get("title", ""),
            description=part.get("description", ""),
            fields=part["properties"],
            required=frozenset(part.get("required", [])),
        )
        for part in parts
        if part.get("properties")
    ]


def flatten(schema: Schema, values: Mapping[str, Any] | None = None) -> Schema:
    """Return one object schema without groups that allows no parameters beyond its own.

    With `values` it also has the parameters that apply only because of these.
    """
    all_groups = groups(schema)
    parts = [_resolved(schema, part) for part in schema.get("allOf", [])]
    clauses = [_condition(part) if part.get("properties") else part for part in parts]
    flat: Schema = {
        "type": "object",
        "properties": {name: field for group in all_groups for name, field in group.fields.items()},
        "required": sorted({name for group in all_groups for name in group.required}),
        "additionalProperties": schema.get("additionalProperties", False),
    }
    kept = ("$defs", "definitions", *conditions.CONDITIONAL, "anyOf", "oneOf")
    flat |= {key: schema[key] for key in kept if key in schema}
    if any(clauses):
        flat["allOf"] = [clause for clause in clauses if clause]
    if values is not None:
        flat["properties"] = flat["properties"] | conditions.fields(flat, values)
    return flat


def part_of(field: Schema, name: str) -> Schema | None:
    """Return the schema of a value in an object: of that name, or of an entry of any name.

    The keys of a mapping may be the user's; JSON Schema says so by `additionalProperties`, or by
    one of `patternProperties`.
    """
    properties, patterns = field.get("properties"), field.get("patternProperties")
    part = properties.get(name) if isinstance(properties, dict) else None
    if part is None and isinstance(patterns, dict) and len(patterns) == 1:
        (part,) = patterns.values()
    if part is None:
        part = field.get("additionalProperties")
    return part if isinstance(part, dict) else None


def is_file(field: Schema) -> bool:
    """Return whether a parameter is a file."""
    return field.get("format") in FILE_FORMATS


def is_folder(field: Schema) -> bool:
    """Return whether a parameter is a set of files that the workflow finds in one folder."""
    return field.get("format") == FOLDER_FORMAT


def named_entries(field: Schema) -> Schema | None:
    """Return the schema of an entry of a mapping whose keys its user chooses; None if it is none.

    JSON Schema states it as `additionalProperties`, or as one of `patternProperties`.
    """
    if field.get("type") != "object" or field.get("properties"):
        return None
    patterns = field.get("patternProperties")
    if isinstance(patterns, dict) and len(patterns) == 1:
        (entry,) = patterns.values()
    else:
        entry = field.get("additionalProperties")
    return entry if isinstance(entry, dict) and entry else None


def is_table(field: Schema) -> bool:
    """Return whether a parameter is a file with rows; `rows` holds their schema."""
    return is_file(field) and isinstance(field.get("rows"), dict)


def is_sheet(field: Schema) -> bool:
    """Return whether a parameter is a sample sheet, which is checked and rewritten for the run.

    A table marked `as_is` is not: its workflow gets the file, or the rows, as they were sent.
    """
    return is_table(field) and not field.get("as_is")


def sheet_fields(schema: Schema) -> dict[str, Schema]:
    """Return the parameters that are sample sheets, by dotted path."""
    return {name: field for name, field in table_fields(schema).items() if is_sheet(field)}


def table_fields(schema: Schema) -> dict[str, Schema]:
    """Return the parameters whose value is a table: its file, or its rows.

    The keys are dotted paths: "samples", "data.samples".
    """
    return _tables(flatten(schema)["properties"], "")


def _tables(fields: Schema, prefix: str) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for name, field in fields.items():
        if not isinstance(field, dict):
            continue
        if is_table(field):
            found[prefix + name] = field
        elif isinstance(inner := field.get("properties"), dict):
            found |= _tables(inner, f"{prefix}{name}.")
    return found


def _condition(part: Schema) -> Schema:
    """Return the conditions of a group, without its parameters."""
    return {key: part[key] for key in conditions.CONDITIONAL if key in part}


def _resolved(schema: Schema, part: Schema) -> Schema:
    """Return a part of `allOf`, with its reference into the same schema followed."""
    reference = part.get("$ref")
    return (refs.target(schema, reference) or {}) if isinstance(reference, str) else part
