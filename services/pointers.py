"""References within a JSON Schema: `{"$ref": "#/$defs/sample"}`."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

ONE = ("items", "additionalProperties", "contains", "not", "if", "then", "else")
SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
NAMED = ("properties", "patternProperties", "dependentSchemas")


def target(whole: Schema, reference: str) -> Schema | None:
    """What a reference points at (RFC 6901, within the same document); None where to nothing."""
    name, _, path = reference.partition("#")
    found: Any = None if name or path[:1] not in ("", "/") else whole
    for step in path.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def inlined(part: Any, whole: Schema, above: tuple[str, ...] = ()) -> Any:
    """A part of a schema with what its references point at in their places.

    One that leads back to itself stays: it says what fits, and has no end that could be drawn.
    Raises LookupError with a reference that leads nowhere.
    """
    if not isinstance(part, dict):
        return part
    reference = part.get("$ref")
    if isinstance(reference, str):
        if (found := target(whole, reference)) is None:
            raise LookupError(reference)
        if reference in above:
            return part
        rest = {key: value for key, value in part.items() if key != "$ref"}
        return inlined({**found, **rest}, whole, (*above, reference))
    made = dict(part)
    for key in ONE:
        if key in part:
            made[key] = inlined(part[key], whole, above)
    for key in SEVERAL:
        if isinstance(part.get(key), list):
            made[key] = [inlined(one, whole, above) for one in part[key]]
    for key in NAMED:
        if isinstance(part.get(key), dict):
            made[key] = {name: inlined(one, whole, above) for name, one in part[key].items()}
    return made
