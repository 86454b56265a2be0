"""Checks parameters against a workflow's JSON Schema (2020-12) and fills in its defaults.

`services.params.schema` describes how such a schema is grouped.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from services.errors import Invalid, Message, Problem
from services.params import conditions
from services.params.schema import Schema, flatten, is_file, is_folder, is_table
from services.params.schema_errors import REQUIRED, REQUIRED_WITH, error_text, with_description

MAX_CONDITION_DEPTH = 5  # conditions on values that other conditions brought about
MAX_UNKNOWN_REPORTED = 20  # unknown parameters; finding a similar name is slow

INVALID_PARAMETERS = Message("invalid_parameters", "Invalid parameters.")
UNKNOWN_PARAMETER = Message(
    "unknown_field", "Unknown parameter.", hint="The workflow has no parameter of this name."
)
MISSPELLED_PARAMETER = Message(
    "unknown_field", "Unknown parameter.", hint="Did you mean {suggestion}?"
)
NOT_A_SHEET = Message("wrong_type", "Must be a file id or a list of rows.")


def defaults(schema: Schema) -> dict[str, Any]:
    """Return the parameters that a schema has defaults for, with these."""
    return _with_all_defaults(schema, {})[1]


def check(schema: Schema, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return `params` with defaults filled in.

    Defaults that do not fit the schema are accepted: they are the workflow's own configuration.
    Raises Invalid with every problem, at the field "params.<name>".
    """
    flat, filled = _with_all_defaults(schema, params)
    _refuse_errors(flat, filled, defaults(schema))
    return filled


def filled(schema: Schema, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return `params` with defaults filled in, unchecked."""
    return _with_all_defaults(schema, params)[1]


def check_whole(schema: Schema, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return `params`, which are a whole configuration: nothing is filled in or unknown.

    Raises what `check` raises.
    """
    flat = {**flatten(schema, params), "additionalProperties": True}
    _refuse_errors(flat, params, defaults(schema))
    return copy.deepcopy(dict(params))


def _refuse_errors(flat: Schema, values: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raise Invalid with every problem of values, apart from those of values in `own`."""
    validator = Draft202012Validator(
        _with_references(flat),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    errors = sorted(validator.iter_errors(values), key=lambda error: list(map(str, error.path)))
    errors = [error for error in errors if not _is_own(error, own)]
    if errors:
        problems = [problem for error in errors for problem in _problems(error, flat)]
        raise Invalid(INVALID_PARAMETERS(), problems=problems)


def _is_own(error: ValidationError, own: Any) -> bool:
    """Whether an error is about a value that is a default; what is missing is never one."""
    if error.validator in ("required", "dependentRequired"):
        return False
    if not error.absolute_path and error.validator == "additionalProperties":
        return False
    for step in error.absolute_path:
        try:
            own = own[step]
        except (KeyError, IndexError, TypeError):
            return False
    return bool(own == error.instance) and type(own) is type(error.instance)


def _with_all_defaults(schema: Schema, params: Mapping[str, Any]) -> tuple[Schema, dict[str, Any]]:
    """Return the flat schema that applies to parameters, and these with defaults.

    A default may make a condition hold that brings further parameters, hence the loop.
    """
    params = _without_empty_files(flatten(schema, params), params)
    flat = flatten(schema)  # conditions are about parameters with their defaults
    filled = _with_defaults(flat, params)
    for _ in range(MAX_CONDITION_DEPTH):
        flat = flatten(schema, filled)
        again = _with_defaults(flat, filled)
        if again == filled:
            break
        filled = again
    return flat, filled


def _with_references(schema: Schema) -> Schema:
    """Return a schema, and its branches, with `as_reference` applied to each parameter."""
    changed = dict(schema)
    if "properties" in schema:
        fields = schema["properties"].items()
        changed["properties"] = {
            name: as_reference(field) if isinstance(field, dict) else field
            for name, field in fields
        }
    for key in conditions.BRANCHES:
        if isinstance(schema.get(key), dict):
            changed[key] = _with_references(schema[key])
    if "allOf" in schema:
        changed["allOf"] = [
            _with_references(part) if isinstance(part, dict) else part for part in schema["allOf"]
        ]
    if "dependentSchemas" in schema:
        dependent = schema["dependentSchemas"].items()
        changed["dependentSchemas"] = {
            name: _with_references(part) if isinstance(part, dict) else part
            for name, part in dependent
        }
    return changed


def _with_defaults(schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy of `given` in which absent parameters have their defaults."""
    filled = copy.deepcopy(dict(given))
    for name, field in schema.get("properties", {}).items():
        if not isinstance(field, dict):
            continue
        if name not in filled and "default" in field:
            filled[name] = copy.deepcopy(field["default"])
        inner = filled.get(name, {})
        if not is_object(field) or not isinstance(inner, dict):
            continue
        if nested := _with_defaults(field, inner):
            filled[name] = nested
    return filled


def is_object(field: Schema) -> bool:
    """Whether a parameter is an object, in which defaults are filled in."""
    kinds = field.get("type", "object" if "properties" in field else "string")
    return "object" in ([kinds] if isinstance(kinds, str) else kinds)


def _without_empty_files(schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `given` without files that are empty strings: forms send them for empty fields."""
    kept = dict(given)
    for name, field in schema.get("properties", {}).items():
        if name not in given or not isinstance(field, dict):
            continue
        if is_file(field) and given[name] == "":
            del kept[name]
        elif isinstance(given[name], Mapping):
            kept[name] = _without_empty_files(field, given[name])
    return kept


def as_reference(field: Schema) -> Schema:
    """Return the schema of a parameter's value, which for a file is an id.

    What the schema of a file says about its name and content does not apply to the id.
    """
    if is_table(field):
        return {"type": ["string", "array"], "minItems": 1}
    if is_file(field):
        about_files = {"pattern", "format", "exists", "minLength", "maxLength", "mimetype"}
        return {key: value for key, value in field.items() if key not in about_files}
    changed = dict(field)
    if is_folder(field):  # a path is that of the workflow's own folder
        changed = {"type": ["array", "string"]}
    if isinstance(field.get("items"), dict):
        changed["items"] = as_reference(field["items"])
    if isinstance(field.get("properties"), dict):
        inner = field["properties"].items()
        changed["properties"] = {
            name: as_reference(part) if isinstance(part, dict) else part for name, part in inner
        }
    if isinstance(field.get("additionalProperties"), dict):
        changed["additionalProperties"] = as_reference(field["additionalProperties"])
    if isinstance(patterns := field.get("patternProperties"), dict):
        changed["patternProperties"] = {
            name: as_reference(part) if isinstance(part, dict) else part
            for name, part in patterns.items()
        }
    return changed


def _problems(error: ValidationError, schema: Schema) -> Iterator[Problem]:
    """Yield the problems that a validator's error stands for, each at its field."""
    path = ".".join(["params", *map(str, error.absolute_path)])
    known = schema["properties"]
    expected: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            for name in expected:
                if name not in given and f"{name!r}" in error.message:
                    description = _description(_fields(error).get(name, known.get(name)))
                    yield Problem(f"{path}.{name}", with_description(REQUIRED(), description))
        case "dependentRequired":
            for name, dependents in expected.items():
                for other in dependents if name in given else ():
                    if other not in given and error.message.startswith(f"{other!r} "):
                        description = _description(_fields(error).get(other, known.get(other)))
                        text = with_description(REQUIRED_WITH(other=name), description)
                        yield Problem(f"{path}.{other}", text)
        case "additionalProperties" if path == "params":
            for name in sorted(set(given) - set(known))[:MAX_UNKNOWN_REPORTED]:
                near = difflib.get_close_matches(name, known, n=1)
                text = MISSPELLED_PARAMETER(suggestion=near[0]) if near else UNKNOWN_PARAMETER()
                yield Problem(f"{path}.{name}", text)
        case _:
            top = known.get(str(error.absolute_path[0])) if error.absolute_path else None
            if error.validator == "type" and isinstance(top, dict) and is_table(top):
                yield Problem(path, with_description(NOT_A_SHEET(), _description(top)))
            else:
                yield Problem(path, error_text(error, _description(top)))


def _fields(error: ValidationError) -> Mapping[str, Any]:
    """Return the fields of the object that an error is about."""
    fields: Any = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    return fields if isinstance(fields, dict) else {}


def _description(field: Any) -> str:
    return str(field.get("description", "")) if isinstance(field, dict) else ""
