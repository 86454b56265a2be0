"""The API document (OpenAPI 3.1, by Flasgger) and its pages, without any external resources.

The private parts of flasgger are used only here, and checked by `missing_parts`.
"""

from __future__ import annotations

import copy
import functools
import inspect
import logging
import sys
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import flasgger.utils
import flask_swagger_ui
from flasgger import Swagger
from flask import Flask, Response, current_app, request

from routes.http.context import request_id
from routes.http.errors import CODES, Code, Failure
from routes.http.signatures import Describer
from services.errors import PROBLEM_CODES

log = logging.getLogger("rundesk.api")

DOCUMENT = "/apidocs/openapi.json"
INTRODUCTION = """\
Everything that the portal does, for programs. Start with `GET /api/v1/workflows`, upload files,
submit a run, poll it and download its results.

**Responses** in JSON are `{"errCode": 0, "data": …, "msg": ""}`. A request that fails has a 4xx or
5xx status and the body `{"errCode": 40001, "data": {"problems": [{"field", "code", "message",
"hint", "args"}]}, "msg": "one sentence", "requestId": …}`. Programs should read `errCode` and
`code`, which are stable; `message` and `hint` may be reworded. `args` has the values that they
name. `data` is null for unexpected errors and errors of HTTP itself. Every response has an
`X-Request-Id`.

The server also has GA4GH WES 1.1 at `/ga4gh/wes/v1` and NCBI's BLAST URL API at `/Blast.cgi`, for
clients of these standards; see `/guide/wes.md` and `/guide/blast.md`. `/guide/api.md` has recipes
for everything.

**Lists** are paginated: send `next` of a page as `after` to get the next page.

**Validation** is strict: unknown or duplicate parameters and values of the wrong type are refused.
Times are UTC in ISO 8601, sizes are bytes.

**Access**: the server responds only to its own host names. It accepts changes only from its own
pages, from allowed origins and from programs. If sign-in is configured, a token or the signing-in
proxy identifies the user; send a token as `Bearer`, or as the password of `Basic`. A token with the
scope `read` cannot change anything (403). Resources of other users are not found (404).

**Polling**: send the `ETag` of a response as `If-None-Match`; 304 means that nothing has changed.
Expensive requests are rate-limited for each user; 429 says how long to wait.
"""
ERROR_NUMBERS = """
### Error numbers

| errCode | HTTP | meaning |
|---|---|---|
"""
CODE_TABLE = """
### Problem codes

| code | meaning |
|---|---|
"""


def install(app: Flask, public_url: str = "") -> None:
    """Add `/apidocs/` and the document of every view with the decorator `operation`.

    `public_url` is the configured address of the API.
    """
    for part in missing_parts():
        log.warning("flasgger %s: %s", metadata.version("flasgger"), part)
    Document(app, merge=True, config=_config()).public_url = public_url
    app.context_processor(lambda: {"nonce": request_id()})
    app.after_request(_allow_own_scripts)


# ---- private parts of flasgger -----------------------------------------------------------------

#: What this module uses of flasgger beyond its documentation; `missing_parts` checks it.
SPECS_ATTRIBUTE = "specs_dict"  # of a view: its operation
APIDOCS_ENDPOINT = "flasgger.apidocs"  # of the page


def missing_parts() -> list[str]:
    """Return one sentence for each part that the installed flasgger lacks."""
    parts = {
        "Swagger.get_apispecs takes no endpoint": "endpoint"
        in inspect.signature(Swagger.get_apispecs).parameters,
        "Swagger.register_views does not load the document by get_apispecs": "get_apispecs"
        in Swagger.register_views.__code__.co_names,
        "Swagger.get_apispecs does not use template": "template"
        in Swagger.get_apispecs.__code__.co_names,
        f"views have no {SPECS_ATTRIBUTE}": SPECS_ATTRIBUTE in inspect.getsource(flasgger.utils),
    }
    return [
        f"{sentence}; the API document may be incomplete."
        for sentence, ok in parts.items()
        if not ok
    ]


class Document(Swagger):  # type: ignore[misc]  # flasgger ships no types
    """Flasgger that describes the views when the document is first requested, not at startup."""

    public_url = ""
    _described = False

    def get_apispecs(self, endpoint: str = "openapi") -> dict[str, Any]:
        """Return the document. Flasgger calls this for each request and caches the result."""
        if not self._described:
            self.template = _template(*_described(_views(current_app)))
            self._described = True
        specs: dict[str, Any] = super().get_apispecs(endpoint)
        return {**specs, "servers": [{"url": self._server_url(), "description": "This server"}]}

    def _server_url(self) -> str:
        """Return the absolute URL of the API under the name that this request uses.

        Generators of clients cannot resolve a relative one. The public URL is preferred, because
        only it has the scheme in front of a proxy.
        """
        same = urlsplit(self.public_url).netloc.lower() == request.host.lower()
        return self.public_url if same else request.url_root.rstrip("/")


def _views(app: Flask) -> tuple[tuple[Any, bool], ...]:
    """Return each view with the decorator `operation`, and whether it handles GET."""
    rules = app.url_map.iter_rules()
    reading = {rule.endpoint for rule in rules if "GET" in (rule.methods or ())}
    return tuple(
        (view, name in reading)
        for name, view in app.view_functions.items()
        if hasattr(view, "operation")
    )


@functools.cache  # the views are the same for every app of a process; takes half a second
def _described(views: tuple[tuple[Any, bool], ...]) -> tuple[Describer, dict[str, str | None]]:
    """Attach its operation to each view. Return the schemas used and the texts of the tags."""
    describer, tags = Describer(), {}
    for view, reads in views:
        setattr(view, SPECS_ATTRIBUTE, describer.operation(*view.operation, reads=reads))
        tags[view.__module__] = sys.modules[view.__module__].__doc__
    return describer, tags


def version() -> str:
    """Return the installed version of Rundesk."""
    try:
        return metadata.version("rundesk")
    except metadata.PackageNotFoundError:  # not installed
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
        # flasgger's own pages do not support OpenAPI 3.1; these have the same file names
        "static_folder": str(Path(flask_swagger_ui.__file__).parent / "dist"),
        "jquery_js": "",  # the folder above has none
    }


def introduction() -> str:
    """Return the text of the document: the introduction and the tables of errors."""
    numbers = "".join(f"| {c.number} | {c.status} | {c.meaning} |\n" for c in CODES)
    codes = "".join(f"| `{code}` | {meaning} |\n" for code, meaning in PROBLEM_CODES.items())
    return INTRODUCTION + ERROR_NUMBERS + numbers + CODE_TABLE + codes


def _template(describer: Describer, tags: dict[str, str | None]) -> dict[str, Any]:
    failure = describer.schema(Failure, "serialization")
    return {
        "info": {
            "title": "Rundesk API",
            "version": version(),
            "description": introduction(),
        },
        "tags": [
            {"name": module.rpartition(".")[2], "description": (text or "").splitlines()[0]}
            for module, text in tags.items()
        ],
        "security": [{}, {"token": []}, {"basic": []}],  # {}: if no sign-in is configured
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`rdk_…`"},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any user name, and the token as the password",
                },
            },
            "schemas": {**copy.deepcopy(describer.schemas), "Failure": failure},
            "responses": {
                f"Failed{status}": _failed(status) for status in sorted({c.status for c in CODES})
            },
            "headers": {
                "X-Request-Id": _header("Identifies the request in the log of the server"),
                "Location": _header("URL of the created resource"),
                "ETag": _header("Version of the response, for If-None-Match"),
                "Retry-After": _header("Seconds to wait", "integer"),
            },
        },
    }


def _failed(status: int) -> dict[str, Any]:
    """Return the response of a status, with an example of each of its error numbers."""
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
    problem = {
        "field": "params.evalue",
        "code": "wrong_type",
        "message": "Must be a number.",
        "hint": "",
        "args": {},
    }
    return {
        "errCode": code.number,
        "data": {"problems": [problem]} if code.status == 400 else None,
        "msg": code.meaning,
        "requestId": "6f1c9e02a4b7d358",
    }


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


def _allow_own_scripts(reply: Response) -> Response:
    """Let the page of the document run Swagger UI, from this server only."""
    if request.endpoint == APIDOCS_ENDPOINT:
        reply.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'self' 'nonce-{request_id()}';"
            " style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:;"
            " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        )
    return reply
