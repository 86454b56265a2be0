"""The parts of a schema that apply only for certain values of other parameters.

JSON Schema states them with `if`/`then`/`else`, `dependentRequired` and `dependentSchemas`, at the
top or in a part of `allOf`. A parameter that only such a branch names exists while the branch
applies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]
BRANCHES = ("then", "else")
CONDITIONAL = ("if", *BRANCHES, "dependentRequired", "dependentSchemas")


def fields(schema: Schema, values: Mapping[str, Any]) -> dict[str, Schema]:
    """Return the parameters of the branches that apply to `values`, in the order of the schema.

    Parameters that the schema itself names are not among them.
    """
    own = schema.get("properties", {})
    return {
        name: field
        for branch in active(schema, values)
        for name, field in branch.get("properties", {}).items()
        if name not in own and isinstance(field, dict)
    }


def possible(schema: Schema) -> dict[str, Schema]:
    """Return the parameters that only branches name, for whatever values they apply."""
    own, fields = schema.get("properties", {}), dict[str, Schema]()
    for part in (schema, *_parts(schema)):
        branches = [part.get(name) for name in BRANCHES]
        for branch in (*branches, *part.get("dependentSchemas", {}).values()):
            if isinstance(branch, dict):
                fields |= branch.get("properties", {}) | possible(branch)
    return {name: field for name, field in fields.items() if name not in own}


def required(schema: Schema, values: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the parameters that are required while the others have `values`."""
    nodes = [schema, *_parts(schema)]
    names: set[str] = set()
    for node in [*nodes, *active(schema, values)]:
        names |= set(node.get("required", []))
        for name, dependents in node.get("dependentRequired", {}).items():
            names |= set(dependents) if name in values else set()
    return frozenset(names)


def active(schema: Schema, values: Mapping[str, Any]) -> list[Schema]:
    """Return the branches that apply to `values`, including branches within these."""
    root = Draft202012Validator(schema)
    return list(_active(root, schema, values))


def _active(
    root: Draft202012Validator, node: Schema, values: Mapping[str, Any]
) -> Iterator[Schema]:
    for part in (node, *_parts(node)):
        for branch in _own_branches(root, part, values):
            yield branch
            yield from _active(root, branch, values)


def _own_branches(
    root: Draft202012Validator, node: Schema, values: Mapping[str, Any]
) -> Iterator[Schema]:
    dependent = node.get("dependentSchemas", {}).items()
    branches = [branch for name, branch in dependent if name in values]
    if "if" in node:
        holds = root.evolve(schema=node["if"]).is_valid(dict(values))
        branches.append(node.get("then" if holds else "else"))
    yield from (branch for branch in branches if isinstance(branch, dict))


def _parts(node: Schema) -> list[Schema]:
    return [part for part in node.get("allOf", []) if isinstance(part, dict)]
