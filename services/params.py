"""Parameters against a workflow's JSON Schema (2020-12), grouped or flat.

Groups follow the nf-core convention: object schemas under `$defs` (or `definitions`), pulled in by
`allOf` at the top. A file parameter has one of FILE_FORMATS; its value is the id of a file.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from services.errors import Invalid, Problem

Schema = dict[str, Any]
MOST_UNKNOWN = 20  # unknown names that are told; looking for a near one is slow
FILE_FORMATS = frozenset({"file-path", "path"})


@dataclass(frozen=True)
class Group:
    """Parameters that belong together, in the order of the schema."""

    title: str
    description: str
    fields: dict[str, Schema]
    required: frozenset[str]


@dataclass(frozen=True)
class FileValue:
    """A file that a parameter names. `index` counts in an array, from 0; None for a single one."""

    field: str
    index: int | None
    value: str
    pattern: str | None


def groups(schema: Schema) -> list[Group]:
    """The groups of a schema; parameters outside any group come first as one without title."""
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


def flatten(schema: Schema) -> Schema:
    """One object schema without groups that takes no parameter beyond those it names."""
    found = groups(schema)
    conditions = [
        part for part in schema.get("allOf", []) if not _resolved(schema, part).get("properties")
    ]
    flat: Schema = {
        "type": "object",
        "properties": {name: field for group in found for name, field in group.fields.items()},
        "required": sorted({name for group in found for name in group.required}),
        "additionalProperties": schema.get("additionalProperties", False),
    }
    kept = ("$defs", "definitions", "if", "then", "else", "dependentRequired", "anyOf", "oneOf")
    flat |= {key: schema[key] for key in kept if key in schema}
    return {**flat, "allOf": conditions} if conditions else flat


def is_file(field: Schema) -> bool:
    """Whether a parameter is a file."""
    return field.get("format") in FILE_FORMATS


def file_values(schema: Schema, params: Mapping[str, Any]) -> Iterator[FileValue]:
    """Every file that `params` names, single or in an array of files."""
    for name, field in flatten(schema)["properties"].items():
        value = params.get(name)
        if is_file(field) and isinstance(value, str) and value:
            yield FileValue(name, None, value, field.get("pattern"))
        items = field.get("items", {})
        if isinstance(items, dict) and is_file(items) and isinstance(value, list):
            for index, item in enumerate(value):
                yield FileValue(name, index, item, items.get("pattern"))


def defaults(schema: Schema) -> dict[str, Any]:
    """The parameters that a schema has defaults for."""
    return _with_defaults(flatten(schema), {})


def check(schema: Schema, params: Mapping[str, Any]) -> dict[str, Any]:
    """`params` with defaults filled in.

    Raises Invalid with every problem, at the field "params.<name>".
    """
    flat = flatten(schema)
    filled = _with_defaults(flat, params)
    validator = Draft202012Validator(
        {**flat, "properties": {n: _as_reference(f) for n, f in flat["properties"].items()}},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    errors = sorted(validator.iter_errors(filled), key=lambda error: list(map(str, error.path)))
    if errors:
        problems = [problem for error in errors for problem in _problems(error, flat)]
        raise Invalid("The parameters do not fit the workflow.", problems=problems)
    return filled


def _resolved(schema: Schema, part: Schema) -> Schema:
    """A part of `allOf`, with its reference into the same schema followed."""
    keys = str(part.get("$ref", "")).removeprefix("#/").split("/")
    found: Any = schema
    for key in keys if part.get("$ref") else ():
        found = found.get(key, {}) if isinstance(found, dict) else {}
    return found if part.get("$ref") and isinstance(found, dict) else part


def _with_defaults(schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of `given` in which absent parameters have their defaults."""
    filled = copy.deepcopy(dict(given))
    for name, field in schema.get("properties", {}).items():
        if not isinstance(field, dict):
            continue
        if name not in filled and "default" in field:
            filled[name] = copy.deepcopy(field["default"])
        inner = filled.get(name, {})
        if field.get("type") != "object" or not isinstance(inner, dict):
            continue
        if nested := _with_defaults(field, inner):
            filled[name] = nested
    return filled


def _as_reference(field: Schema) -> Schema:
    """A file's schema applies to the file, not to the id that stands for it in the parameters."""
    if is_file(field):
        about_files = {"pattern", "format", "exists", "minLength", "maxLength", "mimetype"}
        return {key: value for key, value in field.items() if key not in about_files}
    if isinstance(field.get("items"), dict):
        return {**field, "items": _as_reference(field["items"])}
    return field


def _problems(error: ValidationError, schema: Schema) -> Iterator[Problem]:
    """A validator's error in words, at its field."""
    path = ".".join(["params", *map(str, error.absolute_path)])
    known = schema["properties"]
    wanted: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            for name in wanted:
                if name not in given and f"{name!r}" in error.message:
                    yield Problem(f"{path}.{name}", "This is needed.", _hint(known.get(name)))
        case "additionalProperties" if path == "params":
            for name in sorted(set(given) - set(known))[:MOST_UNKNOWN]:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"Did you mean {near[0]}?" if near else "The workflow has no such parameter."
                yield Problem(f"{path}.{name}", "This parameter is unknown.", hint)
        case _:
            top = known.get(str(error.absolute_path[0])) if error.absolute_path else None
            yield Problem(path, _words(error), _hint(top))


def _words(error: ValidationError) -> str:
    value: Any = error.validator_value
    match error.validator:
        case "type":
            kinds = value if isinstance(value, list) else [value]
            return f"This must be {' or '.join(_kind(kind) for kind in kinds)}."
        case "enum":
            return f"This must be one of {', '.join(map(str, value))}."
        case "minimum":
            return f"This must be {value} or more."
        case "maximum":
            return f"This must be {value} or less."
        case "exclusiveMinimum":
            return f"This must be more than {value}."
        case "exclusiveMaximum":
            return f"This must be less than {value}."
        case "minItems":
            return f"At least {value} needed."
        case "maxItems":
            return f"At most {value} allowed."
        case "uniqueItems":
            return "Each may be given only once."
        case "maxLength":
            return f"This must have at most {value} characters."
        case "minLength":
            return f"This must have at least {value} characters."
        case "pattern":
            return f"This must match {value}."
        case _:
            return f"{error.message[:300]}."


def _kind(kind: str) -> str:
    words = {
        "integer": "a whole number",
        "number": "a number",
        "string": "text",
        "boolean": "true or false",
        "array": "a list",
        "object": "an object",
        "null": "empty",
    }
    return words.get(kind, kind)


def _hint(field: Schema | None) -> str:
    return str(field.get("description", "")) if isinstance(field, dict) else ""
