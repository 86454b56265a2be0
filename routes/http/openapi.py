"""The API document (OpenAPI 3.1, by Flasgger) and its pages; nothing of it comes from elsewhere."""

from __future__ import annotations

import copy
import functools
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import flask_swagger_ui  # type: ignore[import-untyped]
from flasgger import Swagger  # type: ignore[import-untyped]
from flask import Flask, Response, request

from routes.http.context import request_id
from routes.http.errors import CODES, Code, Failure
from routes.http.signatures import Describer

DOCUMENT = "/apidocs/openapi.json"
INTRODUCTION = """\
Everything the portal does, for programs. Start with `GET /api/v1/workflows`, upload files,
submit a run, watch it, fetch its results.

**Replies** of JSON are `{"errCode": 0, "data": …, "msg": ""}`. A request that fails has an honest
HTTP status and `{"errCode": 40001, "data": {"problems": [{"field", "message", "hint"}]}, "msg":
"one sentence", "requestId": …}`; `data` is null where there is no more to say. Every reply carries
its `X-Request-Id`.

**Lists** are paged: send `next` of one page as `after` of the next one.

**Requests** are taken as they are documented: what is unknown, given twice or of another type is
refused. Times are UTC in ISO 8601, sizes in bytes.

**Access**: the desk answers under its own names only, and takes changes only from its own pages,
from those of listed origins, and from programs. Where sign-in is on, a token or the signing-in
proxy says who asks; a token is sent as `Bearer`, or as the password of `Basic`, and one of the
scope `read` changes nothing (403). What belongs to somebody else is not found.

**Polling** is cheap: send the `ETag` of an answer as `If-None-Match`, and 304 says that it still
holds. What costs much is counted for each user; 429 says how long to wait.

| errCode | HTTP | meaning |
|---|---|---|
"""


def install(app: Flask) -> None:
    """Add `/apidocs/` and the document of every view that `operation` made."""
    Document(app, merge=True, config=_config())
    app.context_processor(lambda: {"nonce": request_id()})
    app.after_request(_allow_own_scripts)


class Document(Swagger):  # type: ignore[misc]  # flasgger ships no types
    """Flasgger, which describes the views when the document is asked for, and not at each start."""

    def get_apispecs(self, endpoint: str = "openapi") -> dict[str, Any]:
        if endpoint not in self.apispecs:  # where Flasgger keeps what it made
            self.template = _template(*_described(self._views()))
        found: dict[str, Any] = super().get_apispecs(endpoint)
        return found

    def _views(self) -> tuple[tuple[Any, bool], ...]:
        """Each view that `operation` made, and whether it only reads."""
        rules = self.app.url_map.iter_rules()
        reading = {rule.endpoint for rule in rules if "GET" in (rule.methods or ())}
        return tuple(
            (view, name in reading)
            for name, view in self.app.view_functions.items()
            if hasattr(view, "operation")
        )


@functools.cache  # the same views for every app of a process; half a second of work
def _described(views: tuple[tuple[Any, bool], ...]) -> tuple[Describer, dict[str, str | None]]:
    """Give each view its operation; with the schemas that these name, and what the tags mean."""
    describer, tags = Describer(), {}
    for view, reads in views:
        view.specs_dict = describer.operation(*view.operation, reads=reads)
        tags[view.__module__] = sys.modules[view.__module__].__doc__
    return describer, tags


def version() -> str:
    """Version of Rundesk as installed."""
    try:
        return metadata.version("rundesk")
    except metadata.PackageNotFoundError:  # run from a checkout
        return "unreleased"


def _config() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "title": "Rundesk API",
        "specs": [
            {
                "endpoint": "openapi",
                "route": DOCUMENT,
                "rule_filter": lambda _: True,
                "model_filter": lambda _: True,
            }
        ],
        "specs_route": "/apidocs/",
        "static_url_path": "/apidocs/static",
        "oauth_redirect": "/apidocs/oauth2-redirect.html",
        # flasgger's own pages cannot show OpenAPI 3.1; these have the same file names
        "static_folder": str(Path(flask_swagger_ui.__file__).parent / "dist"),
        "jquery_js": "",  # would be looked for in the folder above
    }


def _template(describer: Describer, tags: dict[str, str | None]) -> dict[str, Any]:
    failure = describer.schema(Failure, "serialization")
    return {
        "info": {
            "title": "Rundesk API",
            "version": version(),
            "description": INTRODUCTION
            + "".join(f"| {c.number} | {c.status} | {c.meaning} |\n" for c in CODES),
        },
        # from the document's own address, so that it is right behind a proxy too
        "servers": [{"url": "..", "description": "This desk"}],
        "tags": [
            {"name": module.rpartition(".")[2], "description": (text or "").splitlines()[0]}
            for module, text in tags.items()
        ],
        "security": [{}, {"token": []}, {"basic": []}],  # {}: where no sign-in is configured
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`rdk_…`"},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any name, and the token as the password",
                },
            },
            "schemas": {**copy.deepcopy(describer.schemas), "Failure": failure},
            "responses": {
                f"Failed{status}": _failed(status) for status in sorted({c.status for c in CODES})
            },
            "headers": {
                "X-Request-Id": _header("Names this request in the log of the desk"),
                "Location": _header("Where to find what was made"),
                "ETag": _header("Names this answer, for If-None-Match"),
                "Retry-After": _header("Seconds to wait", "integer"),
            },
        },
    }


def _failed(status: int) -> dict[str, Any]:
    """The reply of a status, with an example of each number it can carry."""
    codes = [code for code in CODES if code.status == status]
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if status in (429, 503):
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    return {
        "description": " ".join(code.meaning for code in codes),
        "headers": headers,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Failure"},
                "examples": {str(code.number): {"value": _example(code)} for code in codes},
            }
        },
    }


def _example(code: Code) -> dict[str, Any]:
    problem = {"field": "params.evalue", "message": "This must be a number.", "hint": ""}
    return {
        "errCode": code.number,
        "data": {"problems": [problem]} if code.status == 400 else None,
        "msg": code.meaning,
        "requestId": "6f1c9e02a4b7d358",
    }


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


def _allow_own_scripts(reply: Response) -> Response:
    """The pages of the document run Swagger UI, from here and only from here."""
    if request.endpoint == "flasgger.apidocs":
        reply.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'self' 'nonce-{request_id()}';"
            " style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:;"
            " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        )
    return reply
