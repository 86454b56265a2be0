"""The schema of parameters that the API serves: JSON Schema 2020-12 for any validator.

It accepts what a submission accepts. A workflow's own schema does not: it describes the files that
the workflow reads, where a submission has their ids, and its conditions are about parameters with
defaults filled in, which a submission may leave out. What a schema cannot say is only checked on
submission, such as whether a file exists. Keywords that are not part of JSON Schema start with
`x-`; `x-name-pattern` is the pattern of the name of a file, and `x-rows` points to the schema of
the rows of a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

from services.params import conditions, refs, validation
from services.params.portable_patterns import is_portable
from services.params.schema import Schema, is_file, is_sheet, is_table

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE_ID = "^[0-9a-f]{24}$"
FILE_ID_OR_EMPTY = "^([0-9a-f]{24})?$"  # forms send empty strings for empty fields
#: A cell of a row. A list of types is a union, which strict validators refuse.
SINGLE_VALUE = {"anyOf": [{"type": kind} for kind in ("string", "number", "boolean", "null")]}

ANNOTATIONS = (
    *("$comment", "title", "description", "default", "examples"),
    *("deprecated", "readOnly", "writeOnly"),
)
OF_TYPES = {  # keywords that concern values of one type only
    "string": (
        *("minLength", "maxLength", "pattern", "format"),
        *("contentEncoding", "contentMediaType", "contentSchema"),
    ),
    "number": ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    "array": (
        *("items", "prefixItems", "contains", "minContains", "maxContains"),
        *("minItems", "maxItems", "uniqueItems", "unevaluatedItems"),
    ),
    "object": (
        *("properties", "patternProperties", "additionalProperties", "unevaluatedProperties"),
        *("propertyNames", "minProperties", "maxProperties"),
        *("required", "dependentRequired", "dependentSchemas"),
    ),
}
OF_TYPES["integer"] = OF_TYPES["number"]
KEYWORDS = frozenset(
    {"$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$defs", "type", "enum", "const"}
    | {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", *ANNOTATIONS}
    | {name for names in OF_TYPES.values() for name in names}
)
OF_DOCUMENT = frozenset({"$schema", "$id", "$vocabulary"})  # of the workflow's own document
NEEDED_BY = {"if": ("then", "else"), "then": ("if",), "else": ("if",)}
#: Formats that a submission checks, and that other validators check in the same way.
FORMATS = frozenset({"date", "date-time", "ipv4", "ipv6", "uuid"})
ABOUT_FILE_NAMES = {"pattern": "x-name-pattern"}
OWN_PARTS = ("properties", "required", *conditions.CONDITIONAL)  # of a schema of parameters
ALTERNATIVES = ("anyOf", "oneOf")


def public_schema(schema: Schema) -> Schema:
    """Return the schema that accepts the parameters of a submission.

    `schema` is that of a workflow, with references resolved and the schemas of rows in `rows`.
    """
    return _Publisher(schema).root()


class _Publisher:
    """Translates one schema and collects the definitions that it refers to."""

    def __init__(self, schema: Schema) -> None:
        self._given = schema
        self._definitions: dict[str, Schema] = {}

    def root(self) -> Schema:
        given = self._given
        filled = validation.defaults(given)
        rest = given.get("additionalProperties", False)
        kept = {key: value for key, value in given.items() if _is_note(key) or key in OWN_PARTS}
        kept |= {key: given[key] for key in ALTERNATIVES if key in given}
        published: Schema = {"$schema": DIALECT, "type": "object"} | self._fields(kept, filled)
        if "allOf" in given:
            published["allOf"] = [self._group(part, filled) for part in given["allOf"]]
        if rest is not True:  # the groups have further properties
            published["unevaluatedProperties"] = self._schema(rest)
        if definitions := {**self._referenced(published), **self._definitions}:
            published["$defs"] = definitions
        return published

    def _group(self, part: Any, filled: Mapping[str, Any]) -> Any:
        """Return a part of `allOf`: a group of parameters, or conditions."""
        if isinstance(part, dict) and part.get("properties"):
            part = {key: part[key] for key in part if _is_note(key) or key in OWN_PARTS}
        return self._fields(part, filled)

    def _fields(self, node: Any, filled: Mapping[str, Any], *, tests: bool = False) -> Any:
        """Return a schema of an object whose missing parameters are `filled` before the check.

        `tests`: it is a condition, which describes no parameters.
        """
        if not isinstance(node, dict):
            return node
        if not tests:
            filled = {**_own_defaults(node), **filled}
        required = set(node.get("required", []))
        published: Schema = {}
        for key, value in node.items():
            match key:
                case "properties" if not tests:
                    published[key] = {
                        name: self._field(name, field, name in required)
                        for name, field in value.items()
                    }
                case "dependentSchemas":
                    parts = value.items()
                    published[key] = {
                        name: self._fields(part, filled, tests=tests) for name, part in parts
                    }
                case "allOf" | "anyOf" | "oneOf":
                    published[key] = [self._fields(part, filled, tests=tests) for part in value]
                case "if" | "not":
                    if _has_effect(key, node):
                        published[key] = self._fields(value, filled, tests=True)
                case "then" | "else":
                    if _has_effect(key, node):
                        published[key] = self._fields(value, filled, tests=tests)
                case _:
                    published |= self._keyword(key, value, node)
        return _with_filled(published, node, filled, tests=tests)

    def _field(self, name: str, field: Any, required: bool) -> Any:
        """Return the schema of a parameter, or of a property of one."""
        if not isinstance(field, dict):
            return field
        if is_table(field):
            return self._table(name, field, required)
        if is_file(field):
            return self._file(field, required)
        if validation.is_object(field) and "properties" in field:
            own = validation.defaults({"properties": field["properties"]})
            published = _without_union(self._fields(field, own))
        else:
            published = self._schema(field)
            if isinstance(field.get("items"), dict) and "items" in published:
                published["items"] = self._item(field["items"])
        if "default" in field and not _fits(field, field["default"]):
            notes = {key: value for key, value in published.items() if _is_note(key)}
            rest = {key: value for key, value in published.items() if key not in notes}
            return notes | {"anyOf": [rest, {"const": field["default"]}]}
        return published

    def _item(self, item: Schema) -> Schema:
        """Return the schema of an item of a list, in which nothing is filled in."""
        if is_file(item):
            return self._file(item, required=True)
        published: Schema = self._schema(item)
        if isinstance(item.get("items"), dict):
            published["items"] = self._item(item["items"])
        if "properties" in item and "properties" in published:
            for name, part in item["properties"].items():
                if isinstance(part, dict) and is_file(part):
                    published["properties"][name] = self._file(part, required=True)
        return published

    def _file(self, field: Schema, required: bool) -> Schema:
        """Return the schema of a file: its id, or the default, which is a path in the workflow."""
        published = self._notes(field)
        value: Schema = {"type": "string", "pattern": FILE_ID if required else FILE_ID_OR_EMPTY}
        if "null" in _types(field):
            value["type"] = ["string", "null"]
        published |= {key: field[key] for key in ("enum", "const") if key in field}
        if "default" in field:
            return published | {"anyOf": [value, {"const": field["default"]}]}
        return published | value

    def _table(self, name: str, field: Schema, required: bool) -> Schema:
        """Return the schema of a table: the id of its file, or its rows."""
        published = self._notes({key: field[key] for key in field if key != "rows"})
        row = field["rows"].get("items", field["rows"])
        reference = f"#/$defs/{self._define(f'{name}_rows', self._row(field['rows'], row))}"
        rows: Schema = {"$ref": reference}
        if not is_sheet(field):  # the workflow checks its rows, and names what is wrong
            rows = {"type": "object", "additionalProperties": SINGLE_VALUE}
        file = {"type": "string", "pattern": FILE_ID if required else FILE_ID_OR_EMPTY}
        choices = [file, {"type": "array", "minItems": 1, "items": rows}]
        if "default" in field:
            choices.append({"const": field["default"]})
        return published | {"x-rows": reference, "anyOf": choices}

    def _row(self, given: Schema, row: Schema) -> Schema:
        """Return the schema of a row; it has the keywords of the list of rows, such as `mates`."""
        notes = {key: value for key, value in given.items() if key not in KEYWORDS}
        published: Schema = {"type": "object"} | self._schema({**notes, **row})
        required = row.get("required", [])
        for name, cell in row.get("properties", {}).items():
            if isinstance(cell, dict) and is_file(cell):  # its id, or its name
                value = {"type": "string"} | ({"minLength": 1} if name in required else {})
                published["properties"][name] = self._notes(cell) | value
        published.setdefault("additionalProperties", SINGLE_VALUE)
        return published

    def _define(self, name: str, schema: Schema) -> str:
        while name in self._definitions or name in self._given.get("$defs", {}):
            name += "_"
        self._definitions[name] = schema
        return name

    def _notes(self, field: Schema) -> Schema:
        """Return what a file parameter says beyond the schema of its value."""
        return {
            ABOUT_FILE_NAMES.get(key) or (key if key in ANNOTATIONS else _own(key)): value
            for key, value in field.items()
            if key not in {"type", "enum", "const", "schema"} | OF_DOCUMENT
        }

    # ---- schemas in which nothing is filled in ----------------------------------------------

    def _schema(self, node: Any) -> Any:
        """Return any other schema with the keywords of JSON Schema, and own ones with `x-`."""
        if not isinstance(node, dict):
            return node
        published: Schema = {}
        for key, value in node.items():
            published |= self._keyword(key, value, node)
        return _without_union(published)

    def _keyword(self, key: str, value: Any, node: Schema) -> Schema:
        if key in OF_DOCUMENT or key == "$defs":
            return {}
        if key not in KEYWORDS or (key == "format" and value not in FORMATS):
            return {_own(key): value}
        if key == "pattern" and not is_portable(value):
            return {_own(key): value}
        if not _has_effect(key, node):
            return {}
        if key in refs.SCHEMA_LISTS:
            return {key: [self._schema(part) for part in value]}
        if key in refs.SCHEMA_MAPS:
            return {key: {name: self._schema(part) for name, part in value.items()}}
        return {key: self._schema(value) if key in refs.SINGLE_SCHEMA else value}

    def _referenced(self, published: Schema) -> dict[str, Schema]:
        """Return the definitions of the workflow's schema that something refers to.

        References are resolved before, except those of definitions to themselves.
        """
        found: dict[str, Schema] = {}
        waiting = [published]
        while waiting:
            for reference in _references(waiting.pop()):
                parts = reference.split("/")
                if parts[:2] != ["#", "$defs"] or len(parts) < 3 or parts[2] in found:
                    continue
                if isinstance(own := self._given.get("$defs", {}).get(parts[2]), dict):
                    found[parts[2]] = self._schema(own)
                    waiting.append(found[parts[2]])
        return found


def _with_filled(
    published: Schema, node: Schema, filled: Mapping[str, Any], *, tests: bool
) -> Schema:
    """Return a schema that decides about an object as `node` does about the filled object.

    A missing parameter with a default has its value there, and need not be present. In a condition
    it must be where that value does not fit; elsewhere defaults are always accepted.
    """
    required = {name for name in node.get("required", []) if name not in filled}
    for name, field in node.get("properties", {}).items() if tests else ():
        if name in filled and not _fits(field, filled[name]):
            required.add(name)
    changed = {key: value for key, value in published.items() if key != "required"}
    if "dependentRequired" in node:
        changed["dependentRequired"] = dependent = {
            name: [other for other in others if other not in filled]
            for name, others in node["dependentRequired"].items()
        }
        required |= {other for name in dependent if name in filled for other in dependent[name]}
    if always := [name for name in node.get("dependentSchemas", {}) if name in filled]:
        parts = changed["dependentSchemas"]
        changed["allOf"] = [*changed.get("allOf", []), *(parts.pop(name) for name in always)]
    return changed | ({"required": sorted(required)} if required else {})


def _own_defaults(node: Schema) -> dict[str, Any]:
    """Return the defaults of the properties of a schema by name."""
    fields = node.get("properties", {}).items()
    return {
        name: field["default"]
        for name, field in fields
        if isinstance(field, dict) and "default" in field
    }


def _has_effect(key: str, node: Schema) -> bool:
    """Whether a keyword is next to one that it needs."""
    return key not in NEEDED_BY or any(other in node for other in NEEDED_BY[key])


def _fits(field: Any, value: Any) -> bool:
    """Whether a default is valid; that of a file is a path in the workflow."""
    schema = validation.as_reference(field) if isinstance(field, dict) else field
    return bool(Draft202012Validator(schema).is_valid(value))


def _without_union(schema: Schema) -> Schema:
    """Return a schema whose `type` is a single one, or one that may be null.

    Strict validators refuse other unions. Each alternative has the keywords of its type.
    """
    types = _types(schema)
    if len(types) < 2 or (len(types) == 2 and "null" in types):
        return schema
    limited = {name for names in OF_TYPES.values() for name in names}
    rest = {k: v for k, v in schema.items() if k != "type" and k not in limited}
    choices = [
        {"type": kind} | {key: schema[key] for key in OF_TYPES.get(kind, ()) if key in schema}
        for kind in types
    ]
    if "anyOf" in rest:
        return rest | {"allOf": [*rest.get("allOf", []), {"anyOf": choices}]}
    return rest | {"anyOf": choices}


def _types(schema: Schema) -> list[str]:
    given = schema.get("type", [])
    return [given] if isinstance(given, str) else list(given)


def _own(key: str) -> str:
    return key if key.startswith("x-") else f"x-{key}"


def _is_note(key: str) -> bool:
    """Whether a keyword only describes: one of JSON Schema, or one of the workflow."""
    return key in ANNOTATIONS or (key not in KEYWORDS and key not in OF_DOCUMENT)


def _references(node: Any) -> Iterator[str]:
    """Yield every reference in a schema."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
