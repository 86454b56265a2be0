"""Parameters against a workflow's JSON Schema (2020-12), grouped or flat.

Groups follow the nf-core convention: object schemas under `$defs` (or `definitions`), pulled in by
`allOf` at the top. A file parameter has one of FILE_FORMATS; its value is the id of a file.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from services.errors import Invalid, Problem
from services.params import conditions
from services.params.schema import Schema, flatten, is_file, is_sheet

DEEPEST = 5  # conditions on values that other conditions brought about
MOST_UNKNOWN = 20  # unknown names that are told; looking for a near one is slow


def defaults(schema: Schema) -> dict[str, Any]:
    """The parameters that a schema has defaults for."""
    return _filled(schema, {})[1]


def check(schema: Schema, params: Mapping[str, Any]) -> dict[str, Any]:
    """`params` with defaults filled in.

    Raises Invalid with every problem, at the field "params.<name>".
    """
    flat, filled = _filled(schema, params)
    validator = Draft202012Validator(
        _referring(flat),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    errors = sorted(validator.iter_errors(filled), key=lambda error: list(map(str, error.path)))
    if errors:
        problems = [problem for error in errors for problem in _problems(error, flat)]
        raise Invalid("The parameters do not fit the workflow.", problems=problems)
    return filled


def _filled(schema: Schema, params: Mapping[str, Any]) -> tuple[Schema, dict[str, Any]]:
    """The schema that applies to parameters, and these with defaults, which may make more apply."""
    flat = flatten(schema, params)
    filled = _with_defaults(flat, params)
    for _ in range(DEEPEST):
        flat = flatten(schema, filled)
        again = _with_defaults(flat, filled)
        if again == filled:
            break
        filled = again
    return flat, filled


def _referring(schema: Schema) -> Schema:
    """A schema and its branches with `as_reference` for each parameter."""
    made = dict(schema)
    if "properties" in schema:
        fields = schema["properties"].items()
        made["properties"] = {
            name: as_reference(field) if isinstance(field, dict) else field
            for name, field in fields
        }
    for key in conditions.BRANCHES:
        if isinstance(schema.get(key), dict):
            made[key] = _referring(schema[key])
    if "allOf" in schema:
        made["allOf"] = [_referring(p) if isinstance(p, dict) else p for p in schema["allOf"]]
    if "dependentSchemas" in schema:
        dependent = schema["dependentSchemas"].items()
        made["dependentSchemas"] = {
            name: _referring(one) if isinstance(one, dict) else one for name, one in dependent
        }
    return made


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


def as_reference(field: Schema) -> Schema:
    """A file's schema applies to the file, not to the id that stands for it in the parameters."""
    if is_sheet(field):
        return {"type": ["string", "array"], "minItems": 1}
    if is_file(field):
        about_files = {"pattern", "format", "exists", "minLength", "maxLength", "mimetype"}
        return {key: value for key, value in field.items() if key not in about_files}
    changed = dict(field)
    if isinstance(field.get("items"), dict):
        changed["items"] = as_reference(field["items"])
    if isinstance(field.get("properties"), dict):
        inner = field["properties"].items()
        changed["properties"] = {
            name: as_reference(one) if isinstance(one, dict) else one for name, one in inner
        }
    return changed


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
        case "dependentRequired":
            for name, needed in wanted.items():
                for other in needed if name in given else ():
                    if other not in given and error.message.startswith(f"{other!r} "):
                        yield Problem(
                            f"{path}.{other}",
                            f"This is needed together with {name}.",
                            _hint(known.get(other)),
                        )
        case "additionalProperties" if path == "params":
            for name in sorted(set(given) - set(known))[:MOST_UNKNOWN]:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"Did you mean {near[0]}?" if near else "The workflow has no such parameter."
                yield Problem(f"{path}.{name}", "This parameter is unknown.", hint)
        case _:
            top = known.get(str(error.absolute_path[0])) if error.absolute_path else None
            yield Problem(path, words(error), _hint(top))


def words(error: ValidationError) -> str:
    """What a validator's error says, in one sentence."""
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
