"""The page at `/`, which leads to the portal, the API document and the guides."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort, render_template, request

from routes.http.context import services
from routes.http.openapi import version
from services.settings import HERE

index = Blueprint("index", __name__)

GUIDES = HERE / "docs" / "guide"
TITLES = {
    "front-end": "Build on the API",
    "api": "API guide, with recipes",
    "wes": "GA4GH WES",
    "blast": "BLAST URL API",
}
STYLE_ONLY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@index.get("/")
def get_index() -> Response:
    """Return links to everything that this server has for people and programs."""
    page = render_template(
        "index.html",
        base=request.script_root,
        portal=services().settings.public_portal_url,
        guides={name: title for name, title in TITLES.items() if _path(name).is_file()},
        version=version(),
    )
    reply = Response(page, mimetype="text/html")
    reply.headers["Content-Security-Policy"] = STYLE_ONLY
    return reply


@index.get("/guide/<name>.md")
def get_guide(name: str) -> Response:
    """Return a guide as Markdown."""
    if name not in TITLES or not _path(name).is_file():
        abort(404)
    return Response(_path(name).read_bytes(), mimetype="text/plain")


def _path(name: str) -> Path:
    return GUIDES / f"{name}.md"
