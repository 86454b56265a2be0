"""The schema of a workflow's form: its configuration under its schema under what is inferred.

Each field has the value of the configuration as its default: Snakemake's `validate` only fills in
what the configuration lacks. Keys that the schema does not list are inferred from their values.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from services.catalogue.configuration import Configuration
from services.catalogue.recognition import Fact
from services.params import conditions
from services.params.schema import Schema, groups, is_file, named_entries, part_of

SCALAR = ["string", "number", "boolean", "null"]  # the types of a value that may be any of them
OTHERS = "Other settings"  # the group of the keys that a grouped schema does not list
TYPE_KEYWORDS = ("type", "enum", "const", "anyOf", "oneOf", "allOf", "properties", "items")
MAX_DESCRIPTION = 2000  # characters of a comment

Comments = Mapping[tuple[str, ...], str]


def form_schema(schema: Schema, configuration: Configuration, facts: Iterable[Fact]) -> Schema:
    """Return the schema of the form of a workflow.

    `schema` is that of its configuration, with its references replaced; {} if it has none. `facts`
    are the tables, files and folders that were recognised in the configuration.
    """
    form = _with_types(copy.deepcopy(schema))
    params, comments = configuration.params, configuration.comments
    known: dict[str, Schema] = {}
    for group in groups(form):
        known |= group.fields
    known |= conditions.possible(form)
    others: dict[str, Schema] = {}
    for name, value in params.items():
        if isinstance(known.get(name), dict):
            _fill(known[name], value, (name,), comments)
        else:
            others[name] = _described(infer_field(value, (name,), comments), (name,), comments)
    for name, field in known.items():
        if name not in params and configuration.exists and isinstance(field, dict):
            _without_inner_defaults(field)
    _add(form, others)
    for fact in facts:
        _apply(form, fact)
    return form


def _with_types(node: Schema) -> Schema:
    """Set the type of what has keys or items in the schema, at any depth, where it is not stated.

    Its values are objects or arrays, as everybody who writes such a schema assumes.
    """
    waiting: list[Any] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            if isinstance(part.get("properties"), dict) and part is not node:
                part.setdefault("type", "object")
            elif isinstance(part.get("items"), dict):
                part.setdefault("type", "array")
            inner = [part.get(key) for key in ("items", "additionalProperties", "allOf")]
            waiting += [*inner, *_values(part.get("properties")), *_values(part.get("$defs"))]
    return node


def _values(part: Any) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else []


def infer(values: Mapping[str, Any]) -> Schema:
    """Return a schema for a configuration without one: its keys, with its values as defaults."""
    return {
        "type": "object",
        "properties": {str(name): infer_field(value) for name, value in values.items()},
    }


def infer_field(value: Any, path: tuple[str, ...] = (), comments: Comments = {}) -> Schema:  # noqa: B006
    """Return the schema of a field with a value as its default."""
    match value:
        case bool():
            return {"type": "boolean", "default": value}
        case int() | float():
            return {"type": "number", "default": value}
        case str():
            return {"type": "string", "default": value}
        case list():
            return {"type": "array", "items": _items(value), "default": value}
        case Mapping():
            if not value or _is_named(value):
                return {
                    "type": "object",
                    "additionalProperties": _common(value.values()) if value else True,
                    "default": value,
                }
            inner = {
                name: _described(infer_field(one, (*path, name), comments), (*path, name), comments)
                for name, one in value.items()
            }
            return {"type": "object", "properties": inner, "additionalProperties": True}
        case _:
            return {"type": SCALAR, "default": value}


def _items(values: list[Any]) -> Schema:
    """Return the schema of the items of an array."""
    if values and all(isinstance(value, Mapping) for value in values):
        return _common(values)
    types = {infer_field(value)["type"] for value in values if isinstance(value, str | int | float)}
    if any(isinstance(value, list | Mapping) for value in values):
        return {}
    if not values:
        return {"type": "string"}
    alone = len(types) == 1 and None not in values
    return {"type": types.pop()} if alone else {"type": SCALAR}


def _common(values: Iterable[Any]) -> Schema:
    """Return one schema, without defaults, for values that belong together."""
    known = list(values)
    if all(isinstance(value, Mapping) for value in known):
        columns: dict[str, list[Any]] = {}
        for value in known:
            for name, inner in value.items():
                columns.setdefault(name, []).append(inner)
        return {
            "type": "object",
            "properties": {name: _common(column) for name, column in columns.items()},
            "additionalProperties": True,
        }
    fields = [infer_field(value) for value in known]
    kinds = {str(field["type"]) for field in fields}
    if len(kinds) > 1:
        simple = all(not isinstance(value, Mapping | list) for value in known)
        return {"type": SCALAR} if simple else {}
    return {key: value for key, value in fields[0].items() if key != "default"}


def _is_named(value: Mapping[str, Any]) -> bool:
    """Whether a mapping looks as if its keys were names that its user chose.

    That is so when they are numbers, or when several entries have the same keys.
    """
    if all(key.lstrip("-").isdigit() for key in value):
        return True
    entries = list(value.values())
    if len(entries) < 2 or not all(isinstance(entry, Mapping) and entry for entry in entries):
        return False
    return all(entry.keys() == entries[0].keys() for entry in entries)


def _fill(field: Schema, value: Any, path: tuple[str, ...], comments: Comments) -> None:
    """Set the default of a field to the value of the configuration."""
    _described(field, path, comments)
    if is_declared_file(field):
        return  # its value in the configuration is an example; each run has files of its own
    if not any(key in field for key in TYPE_KEYWORDS):
        field |= {**infer_field(value, path, comments), **field, "default": value}
        if "properties" in field:
            field.pop("default")
        return
    properties = field.get("properties")
    if isinstance(properties, dict) and isinstance(value, Mapping):
        field.pop("default", None)
        for name, inner in value.items():
            where = (*path, name)
            if isinstance(properties.get(name), dict):
                _fill(properties[name], inner, where, comments)
            else:
                properties[name] = _described(infer_field(inner, where, comments), where, comments)
        for name, one in properties.items():
            if name not in value and isinstance(one, dict):
                _without_inner_defaults(one)
        return
    if field.get("type") == "object" and isinstance(value, Mapping):
        _fill_mapping(field, value, path, comments)
        return
    _without_inner_defaults(field)
    field["default"] = value
    if isinstance(value, list) and isinstance(field.get("items"), dict):
        _fill_items(field["items"], value)
    elif isinstance(value, list) and "items" not in field and field.get("type") == "array":
        field["items"] = _items(value)


def _fill_mapping(
    field: Schema, value: Mapping[str, Any], path: tuple[str, ...], comments: Comments
) -> None:
    """Set the default of an object whose schema lists no keys."""
    entries = named_entries(field)
    if entries is None and field.get("additionalProperties", True) is True and value:
        inferred = infer_field(value, path, comments)
        if "properties" in inferred:
            field.pop("default", None)
            field |= {"properties": inferred["properties"], "additionalProperties": True}
            return
        field["additionalProperties"] = inferred["additionalProperties"]
    elif entries is not None:
        _fill_items(entries, list(value.values()))
    field["default"] = dict(value)


def _fill_items(items: Schema, values: list[Any]) -> None:
    """Add keys that entries have and their schema does not list; else a form would lose them."""
    entries = [value for value in values if isinstance(value, Mapping)]
    if not entries or len(entries) < len(values):
        return
    if items.get("type") == "object" or "properties" in items:
        properties = items.setdefault("properties", {})
        for name, inner in _common(entries)["properties"].items():
            properties.setdefault(name, inner)
    elif not any(key in items for key in TYPE_KEYWORDS):
        items |= _common(entries)


def is_declared_file(field: Schema) -> bool:
    """Whether the workflow's own schema says that a field, or its items, are files."""
    items = field.get("items")
    return is_file(field) or (isinstance(items, dict) and is_file(items))


def _without_inner_defaults(field: Schema) -> None:
    """Remove the defaults within an object that the configuration does not have.

    Snakemake fills in defaults only where the configuration has the object.
    """
    properties = field.get("properties")
    for inner in properties.values() if isinstance(properties, dict) else ():
        if isinstance(inner, dict):
            inner.pop("default", None)
            _without_inner_defaults(inner)


def _described(field: Schema, path: tuple[str, ...], comments: Comments) -> Schema:
    """Give a field without a description the comment about it in the configuration."""
    if (comment := comments.get(path)) and not field.get("description"):
        field["description"] = comment[:MAX_DESCRIPTION]
    return field


def _add(form: Schema, fields: dict[str, Schema]) -> None:
    """Add fields that the schema does not list, after all others."""
    if not fields:
        return
    form.setdefault("type", "object")
    if form.get("allOf"):
        form["allOf"] = [*form["allOf"], {"title": OTHERS, "type": "object", "properties": fields}]
    else:
        form["properties"] = form.get("properties", {}) | fields


def _apply(form: Schema, fact: Fact) -> None:
    """Make the field at the path of a fact a table, a file, a folder, or a mapping by name."""
    fields: dict[str, Schema] = {}
    for group in groups(form):
        fields |= group.fields
    field: Schema | None = fields.get(fact.path[0]) if fact.path else None
    for name in fact.path[1:]:
        field = part_of(field, name) if isinstance(field, dict) else None
    if not isinstance(field, dict) or is_declared_file(field):
        return
    kept = {
        key: field[key] for key in ("title", "description", "default", "hidden") if key in field
    }
    described: Schema = {"recognised": fact.how}
    if fact.kind == "sheet" and fact.rows:
        described |= {"type": "string", "format": "file-path", "rows": fact.rows}
    elif fact.kind == "files":
        described |= {"type": "array", "items": {"type": "string", "format": "file-path"}}
    elif fact.kind == "file":
        described |= {"type": "string", "format": "file-path"}
        if fact.pattern:
            described["pattern"] = fact.pattern
    elif fact.kind == "folder":
        items = {"type": "string", "format": "file-path"}
        described |= {"type": "array", "format": "directory-path", "items": items}
    else:
        return
    if fact.suffix:
        described["suffix"] = fact.suffix
    field.clear()
    field |= kept | described
