"""References within a JSON Schema: `{"$ref": "#/$defs/sample"}`."""

from __future__ import annotations

from itertools import count
from typing import Any

from services.errors import Message, Text

Schema = dict[str, Any]

SINGLE_SCHEMA = ("items", "additionalProperties", "contains", "not", "if", "then", "else")
SCHEMA_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
SCHEMA_MAPS = ("properties", "patternProperties", "dependentSchemas")
MAX_PARTS = 10_000  # of a schema without references; their number may double with each reference

UNKNOWN_REFERENCE = Message("invalid_workflow", "The reference {reference} points to nothing.")
TOO_MANY_PARTS = Message(
    "invalid_workflow", "The schema has more than {limit:,} parts once its references are resolved."
)


class BadReference(LookupError):
    """A reference that cannot be replaced by what it points to; `text` is the sentence about it."""

    def __init__(self, text: Text) -> None:
        super().__init__(str(text))
        self.text = text


def target(whole: Schema, reference: str) -> Schema | None:
    """Return what a reference points to (RFC 6901, same document), or None where it is nothing."""
    name, _, path = reference.partition("#")
    node: Any = None if name or path[:1] not in ("", "/") else whole
    for step in path.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else None


def inlined(part: Any, whole: Schema) -> Any:
    """Return a part of a schema in which each reference is replaced by what it points to.

    A reference to itself stays: a recursive schema is valid but cannot be expanded.
    Raises BadReference when a reference points to nothing, or when the result has too many parts.
    """
    return _inlined(part, whole, (), count(1))


def _inlined(part: Any, whole: Schema, above: tuple[str, ...], parts: count[int]) -> Any:
    if not isinstance(part, dict):
        return part
    if next(parts) > MAX_PARTS:
        raise BadReference(TOO_MANY_PARTS(limit=MAX_PARTS))
    reference = part.get("$ref")
    if isinstance(reference, str):
        if (node := target(whole, reference)) is None:
            raise BadReference(UNKNOWN_REFERENCE(reference=reference))
        if reference in above:
            return part
        rest = {key: value for key, value in part.items() if key != "$ref"}
        return _inlined({**node, **rest}, whole, (*above, reference), parts)
    resolved = dict(part)
    for key in SINGLE_SCHEMA:
        if key in part:
            resolved[key] = _inlined(part[key], whole, above, parts)
    for key in SCHEMA_LISTS:
        if isinstance(part.get(key), list):
            resolved[key] = [_inlined(item, whole, above, parts) for item in part[key]]
    for key in SCHEMA_MAPS:
        if isinstance(part.get(key), dict):
            items = part[key].items()
            resolved[key] = {name: _inlined(item, whole, above, parts) for name, item in items}
    return resolved
