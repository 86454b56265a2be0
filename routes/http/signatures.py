"""The signature of a view, and the OpenAPI operation derived from it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from flask import Response
from pydantic import BaseModel, TypeAdapter

from services.access.rate_limits import Kind
from services.models import Actor, Model

T = TypeVar("T")
Spec = dict[str, Any]
BYTES = "application/octet-stream"
SCHEMAS = "#/components/schemas/"
RESERVED = ("actor", "query", "headers", "body", "return")


class Reply(Model, Generic[T]):
    """The body of the response to a request that succeeded."""

    errCode: Literal[0] = 0
    data: T
    msg: Literal[""] = ""


@dataclass(frozen=True)
class Signature:
    """The annotations of a view, by their meaning."""

    path: dict[str, TypeAdapter[Any]]  # every argument that is not reserved
    actor: bool  # whether authentication is required
    query: type[BaseModel] | None
    headers: type[BaseModel] | None
    body: type[BaseModel] | None
    reply: Any

    @classmethod
    def of(cls, view: Callable[..., Any]) -> Signature:
        types = inspect.get_annotations(view, eval_str=True)
        return cls(
            path={name: TypeAdapter(kind) for name, kind in types.items() if name not in RESERVED},
            actor=types.get("actor") is Actor,
            query=types.get("query"),
            headers=types.get("headers"),
            body=types.get("body"),
            reply=types["return"],
        )

    @property
    def raw(self) -> bool:
        """Whether the view returns the whole response: a file, or plain text."""
        return isinstance(self.reply, type) and issubclass(self.reply, Response)


@dataclass(frozen=True)
class Header:
    """A response header, computed from what the view returned; an empty one is omitted."""

    name: str
    description: str
    value: Callable[[Any], str]


@dataclass(frozen=True)
class Extras:
    """What the signature does not say of an operation."""

    status: int = 200
    errors: tuple[int, ...] = ()  # statuses besides those that the signature implies
    links: Mapping[str, Spec] = field(default_factory=dict)
    example: Any = None  # of `data`
    request: Any = None  # example of the body
    media: str = ""  # media type of a raw response
    nothing: str = ""  # the meaning of 204 for a raw response
    upload: Mapping[str, Spec] | None = None  # media types of a body that the view reads itself
    upload_needed: bool = True
    limit: Kind | None = None  # the rate limit that applies
    location: bool = False  # Location is the URL of the created resource
    sends: tuple[Header, ...] = ()


def is_tagged(signature: Signature, extras: Extras) -> bool:
    """Whether responses to GET have an ETag; tus has its own rules for caching."""
    own = signature.raw or extras.sends or extras.status != 200
    return signature.actor and not own


class Describer:
    """Builds operations and collects the models that they use in `schemas`."""

    def __init__(self) -> None:
        self.schemas: dict[str, Spec] = {}

    def operation(
        self, view: Callable[..., Any], signature: Signature, extras: Extras, *, reads: bool = False
    ) -> Spec:
        """Return the operation of a view. `reads`: it handles GET."""
        summary, _, description = (inspect.getdoc(view) or "").partition("\n\n")
        spec: Spec = {
            "operationId": view.__name__,
            "tags": [view.__module__.rpartition(".")[2]],
            "summary": summary,
            "description": description,
            "parameters": self._parameters(signature),
            "responses": self._responses(signature, extras, summary, reads),
        }
        if signature.body:
            content = self._json(signature.body, "validation", extras.request)
            content["application/json"]["schema"] = self.named(signature.body)
            spec["requestBody"] = {"required": True, "content": content}
        if extras.upload:
            spec["requestBody"] = {
                "required": extras.upload_needed,
                "content": dict(extras.upload),
            }
        return spec

    def schema(self, kind: Any, mode: Literal["validation", "serialization"]) -> Spec:
        """Return the JSON Schema of `kind`; the models nested in it move to `schemas`."""
        schema: Spec = _for_generators(
            TypeAdapter(kind).json_schema(mode=mode, ref_template=f"{SCHEMAS}{{model}}")
        )
        for name, nested in schema.pop("$defs", {}).items():
            self._add(name, nested)
        return schema

    def named(self, body: type[BaseModel]) -> Spec:
        """Return a reference to the schema of a request body; generators name a class after it."""
        self._add(body.__name__, self.schema(body, "validation"))
        return {"$ref": f"{SCHEMAS}{body.__name__}"}

    def _add(self, name: str, schema: Spec) -> None:
        if self.schemas.setdefault(name, schema) != schema:
            raise TypeError(f"two schemas have the name {name}")

    def _parameters(self, signature: Signature) -> list[Spec]:
        parameters = [
            {
                "name": name,
                "in": "path",
                "required": True,
                **_described(kind.json_schema(ref_template=f"{SCHEMAS}{{model}}")),
            }
            for name, kind in signature.path.items()
        ]
        for source, model in (("query", signature.query), ("header", signature.headers)):
            known = self.schema(model, "validation") if model else {"properties": {}}
            parameters += [
                {
                    "name": name,
                    "in": source,
                    "required": name in known.get("required", ()),
                    **_described(schema),
                }
                for name, schema in known["properties"].items()
            ]
        return parameters

    def _responses(self, signature: Signature, extras: Extras, summary: str, reads: bool) -> Spec:
        statuses = {400, 403, 500, *extras.errors}
        statuses |= {401, 503} if signature.actor else set()
        statuses |= {429} if extras.limit or signature.actor else set()
        statuses |= {404} if signature.path else set()
        statuses |= {413} if signature.body or extras.upload else set()
        statuses |= {415} if signature.body or extras.upload else set()
        statuses |= {412, 416} if signature.raw else set()
        replies: Spec = {
            str(status): {"$ref": f"#/components/responses/Failed{status}"}
            for status in sorted(statuses)
        }
        headers: Spec = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
        if extras.location:
            headers["Location"] = {"$ref": "#/components/headers/Location"}
        for header in extras.sends:
            known = {"description": header.description, "schema": {"type": "string"}}
            headers[header.name] = known
        if extras.nothing:
            replies["204"] = {"description": extras.nothing}
        if reads and is_tagged(signature, extras):
            headers["ETag"] = {"$ref": "#/components/headers/ETag"}
            replies["304"] = {"description": "Not modified: If-None-Match names the current ETag"}
        done: Spec = {"description": summary, "headers": headers, "links": dict(extras.links)}
        if extras.status == 204:
            return {"204": done, **replies}
        if signature.raw:
            content = _raw_content(extras.media)
            replies["206"] = {"description": "The requested range", "content": content}
            replies["304"] = {"description": "Not modified"}
        else:
            envelope = {"errCode": 0, "data": extras.example, "msg": ""}
            content = self._json(Reply[signature.reply], "serialization", envelope)  # type: ignore[name-defined]  # mypy takes a generic's argument for a static type
        return {str(extras.status): {**done, "content": content}, **replies}

    def _json(
        self, kind: Any, mode: Literal["validation", "serialization"], example: Any
    ) -> dict[str, Spec]:
        shown = {} if example is None else {"example": example}
        return {"application/json": {"schema": self.schema(kind, mode), **shown}}


def _raw_content(media: str) -> Spec:
    """Return the content of a raw response: text, or bytes.

    Some generators know bytes only as application/octet-stream, so it is named as well.
    """
    if media.startswith("text/"):
        return {media: {"schema": {"type": "string"}}}
    return {name: {"schema": {"type": "string", "format": "binary"}} for name in (media, BYTES)}


def _for_generators(node: Any) -> Any:
    """Return a schema without what generators of clients cannot read.

    Those are a type that is only null, and tuples without `items`.
    """
    if isinstance(node, list):
        return [_for_generators(part) for part in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _for_generators(value) for key, value in node.items()}
    if changed.get("properties", {}).get("data", {}).get("type") == "null":
        changed["properties"]["data"]["type"] = ["object", "null"]
    if "prefixItems" in changed and "items" not in changed:
        kinds = [
            part
            for n, part in enumerate(node["prefixItems"])
            if part not in node["prefixItems"][:n]
        ]
        changed["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return changed


def _described(schema: Spec) -> Spec:
    """Return the schema and description of a parameter. Without null: it is omitted instead."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        kept = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        schema = {**kinds[0], **kept}
    described = {key: value for key, value in schema.items() if key not in ("title", "description")}
    if "const" in described:  # generators do not read it in parameters
        described["enum"] = [described.pop("const")]
    return {"description": schema.get("description", ""), "schema": described}
