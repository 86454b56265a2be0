"""References within a JSON Schema: `{"$ref": "#/$defs/sample"}`."""

from __future__ import annotations

from itertools import count
from typing import Any

Schema = dict[str, Any]

ONE = ("items", "additionalProperties", "contains", "not", "if", "then", "else")
SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
NAMED = ("properties", "patternProperties", "dependentSchemas")
MOST = 10_000  # parts of a schema, with those that are put in places; references may double at each


def target(whole: Schema, reference: str) -> Schema | None:
    """What a reference points at (RFC 6901, within the same document); None where to nothing."""
    name, _, path = reference.partition("#")
    found: Any = None if name or path[:1] not in ("", "/") else whole
    for step in path.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def inlined(part: Any, whole: Schema) -> Any:
    """A part of a schema with what its references point at in their places.

    One that leads back to itself stays: it says what fits, and has no end that could be drawn.
    Raises LookupError, in words that follow the schema's name: a reference leads nowhere, or all
    of them would fill more than MOST parts.
    """
    return _inlined(part, whole, (), count(1))


def _inlined(part: Any, whole: Schema, above: tuple[str, ...], parts: count[int]) -> Any:
    if not isinstance(part, dict):
        return part
    if next(parts) > MOST:
        raise LookupError(f"its references fill more than {MOST:,} places")
    reference = part.get("$ref")
    if isinstance(reference, str):
        if (found := target(whole, reference)) is None:
            raise LookupError(f"{reference} leads nowhere in it")
        if reference in above:
            return part
        rest = {key: value for key, value in part.items() if key != "$ref"}
        return _inlined({**found, **rest}, whole, (*above, reference), parts)
    made = dict(part)
    for key in ONE:
        if key in part:
            made[key] = _inlined(part[key], whole, above, parts)
    for key in SEVERAL:
        if isinstance(part.get(key), list):
            made[key] = [_inlined(one, whole, above, parts) for one in part[key]]
    for key in NAMED:
        if isinstance(part.get(key), dict):
            named = part[key].items()
            made[key] = {name: _inlined(one, whole, above, parts) for name, one in named}
    return made
