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


def without_new_properties(document: Json, before: Json) -> Json:
    """A copy of `document` whose schemas lack the properties that `before` lacks."""
    document = copy.deepcopy(document)
    for name, schema in document["components"]["schemas"].items():
        if name not in before["components"]["schemas"]:
            continue
        known = before["components"]["schemas"][name].get("properties", {})
        for added in set(schema.get("properties", {})) - set(known):
            del schema["properties"][added]
            schema["required"] = [one for one in schema.get("required", []) if one != added]
            if not schema["required"]:
                del schema["required"]
    return document


def without_relaxations(document: Json, before: Json) -> Json:
    """A copy of `document` as strict as `before`: what only accepts more requests is undone.

    These are parameters that `before` requires, further optional parameters, and further media
    types and optional properties of bodies.
    """
    document = copy.deepcopy(document)
    for path, method, old in _operations(before):
        new = document["paths"].get(path, {}).get(method, {})
        required = {
            (one["in"], one["name"]) for one in old.get("parameters", ()) if one["required"]
        }
        names = {(one["in"], one["name"]) for one in old.get("parameters", ())}
        if "parameters" in new:
            new["parameters"] = [
                one
                for one in new["parameters"]
                if one["required"] or (one["in"], one["name"]) in names
            ]
        for parameter in new.get("parameters", ()):
            if (parameter["in"], parameter["name"]) in required:
                parameter["required"] = True
        known = old.get("requestBody", {}).get("content", {})
        content = new.get("requestBody", {}).get("content", {})
        for media in set(content) - set(known):
            del content[media]
        for media in set(content) & set(known):
            _without_optional(content[media].get("schema", {}), known[media].get("schema", {}))
    return document


def without_repairs(document: Json) -> Json:
    """A copy of `document` without what generators of clients need, which changes no request.

    Bodies are referred to by name, bytes have a format and
    are application/octet-stream as well, tuples have `items`, `data` that is always
    null may be an object as well, and parameters with one value have an `enum`.
    """
    document = copy.deepcopy(document)
    schemas = document["components"]["schemas"]
    for _, _, spec in _operations(document):
        for parameter in spec.get("parameters", ()):
            if len(allowed := parameter["schema"].get("enum", ())) == 1:
                parameter["schema"]["const"] = allowed[0]
                del parameter["schema"]["enum"]
        for media in spec.get("requestBody", {}).get("content", {}).values():
            name = media["schema"].get("$ref", "").rpartition("/")[2]
            media["schema"] = schemas.get(name, media["schema"])
        for reply in spec["responses"].values():
            content = reply.get("content", {})
            if len(content) > 1:
                content.pop("application/octet-stream", None)
            for media in content.values():
                if media["schema"] == {"type": "string", "format": "binary"}:
                    del media["schema"]["format"]
    repaired: Json = _without_repairs(document)
    return repaired


def _without_repairs(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_repairs(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") == ["object", "null"]:
        return {**node, "type": "null"}
    dropped = {"items"} if "prefixItems" in node else set()
    return {key: _without_repairs(value) for key, value in node.items() if key not in dropped}


def _without_optional(new: Json, old: Json) -> None:
    """Remove from the schema of a body the properties that are optional and that `old` lacks."""
    for name in set(new.get("properties", ())) - set(old.get("properties", ())):
        if name not in new.get("required", ()):
            del new["properties"][name]


def _operations(document: Json) -> list[tuple[str, str, Json]]:
    return [
        (path, method, spec)
        for path, methods in document["paths"].items()
        for method, spec in methods.items()
        if isinstance(spec, dict)
    ]


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
