"""What of a schema applies while other values are what they are.

JSON Schema says it with `if`/`then`/`else`, `dependentRequired` and `dependentSchemas`, at the top
or in a part of `allOf`. A parameter that only such a branch names is there while that applies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]
BRANCHES = ("then", "else")
CONDITIONAL = ("if", *BRANCHES, "dependentRequired", "dependentSchemas")


def fields(schema: Schema, values: Mapping[str, Any]) -> dict[str, Schema]:
    """The parameters that only branches name which apply now, in the order of the schema."""
    own = schema.get("properties", {})
    return {
        name: field
        for branch in active(schema, values)
        for name, field in branch.get("properties", {}).items()
        if name not in own and isinstance(field, dict)
    }


def possible(schema: Schema) -> dict[str, Schema]:
    """The parameters that any branch names, whatever the values."""
    own, found = schema.get("properties", {}), dict[str, Schema]()
    for part in (schema, *_parts(schema)):
        branches = [part.get(name) for name in BRANCHES]
        for branch in (*branches, *part.get("dependentSchemas", {}).values()):
            if isinstance(branch, dict):
                found |= branch.get("properties", {}) | possible(branch)
    return {name: field for name, field in found.items() if name not in own}


def required(schema: Schema, values: Mapping[str, Any]) -> frozenset[str]:
    """The parameters that are needed now."""
    nodes = [schema, *_parts(schema)]
    found: set[str] = set()
    for node in [*nodes, *active(schema, values)]:
        found |= set(node.get("required", []))
        for name, needed in node.get("dependentRequired", {}).items():
            found |= set(needed) if name in values else set()
    return frozenset(found)


def active(schema: Schema, values: Mapping[str, Any]) -> list[Schema]:
    """The branches that apply now, those within them included."""
    root = Draft202012Validator(schema)
    return list(_active(root, schema, values))


def _active(
    root: Draft202012Validator, node: Schema, values: Mapping[str, Any]
) -> Iterator[Schema]:
    for part in (node, *_parts(node)):
        for branch in _chosen(root, part, values):
            yield branch
            yield from _active(root, branch, values)


def _chosen(
    root: Draft202012Validator, node: Schema, values: Mapping[str, Any]
) -> Iterator[Schema]:
    branches = [one for name, one in node.get("dependentSchemas", {}).items() if name in values]
    if "if" in node:
        holds = root.evolve(schema=node["if"]).is_valid(dict(values))
        branches.append(node.get("then" if holds else "else"))
    yield from (branch for branch in branches if isinstance(branch, dict))


def _parts(node: Schema) -> list[Schema]:
    return [part for part in node.get("allOf", []) if isinstance(part, dict)]
