"""The API document without what may be reworded, for comparing two versions of it."""

from __future__ import annotations

import copy
import json
from typing import Any

Json = dict[str, Any]

TEXTS = frozenset({"description", "summary", "title", "example", "examples"})
NAMED = frozenset({"properties", "schemas", "responses", "headers", "paths", "links"})
APART = frozenset({"paths", "components", "info"})  # info: the version, and texts


def without_texts(node: Any, *, names: bool = False) -> Any:
    """A copy of `node` without texts and examples.

    `names`: the keys of this object are names (of properties, schemas …), not words of OpenAPI.
    """
    if isinstance(node, list):
        return [without_texts(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without_texts(value, names=not names and key in NAMED)
        for key, value in node.items()
        if names or key not in TEXTS
    }


def without_new_properties(document: Json, before: Json, *names: str) -> Json:
    """A copy of `document` whose schemas lack the properties `names` that `before` lacks too."""
    document = copy.deepcopy(document)
    for name, schema in document["components"]["schemas"].items():
        known = before["components"]["schemas"].get(name, {}).get("properties", {})
        for added in set(names) & set(schema.get("properties", {})) - set(known):
            del schema["properties"][added]
            schema["required"] = [one for one in schema.get("required", []) if one != added]
            if not schema["required"]:
                del schema["required"]
    return document


def as_text(document: Json) -> str:
    """The document as JSON with sorted keys, with a line for each path, schema and response."""
    parts = {
        f"{top}.{name}": value
        for top, section in (("paths", document["paths"]), *_components(document))
        for name, value in section.items()
    }
    rest = {key: value for key, value in document.items() if key not in APART}
    lines = [f"{json.dumps(name)}: {_compact(value)}" for name, value in sorted(parts.items())]
    lines += [f"{json.dumps(name)}: {_compact(value)}" for name, value in sorted(rest.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def from_text(text: str) -> Json:
    """The document that `as_text` wrote."""
    document: Json = {"paths": {}, "components": {}}
    for name, value in json.loads(text).items():
        top, _, rest = name.partition(".")
        if top == "paths":
            document["paths"][rest] = value
        elif top == "components":
            section, _, key = rest.partition(".")
            document["components"].setdefault(section, {})[key] = value
        else:
            document[name] = value
    return document


def _components(document: Json) -> list[tuple[str, Json]]:
    return [(f"components.{name}", part) for name, part in document["components"].items()]


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
