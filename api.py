"""The HTTP API: `gunicorn 'api:create_app()'`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from flask import Flask

from routes.blast.routes import blast
from routes.databases import databases
from routes.drafts import drafts
from routes.files import files
from routes.http import base_path, compression, errors, openapi, rate_limits, streams
from routes.http.context import attach
from routes.http.cors import Cors
from routes.http.guard import Guard
from routes.imports import imports
from routes.index import index
from routes.links import links
from routes.provenance import provenance
from routes.results import results
from routes.runs import runs
from routes.sheets import sheets
from routes.system import system
from routes.tokens import tokens
from routes.uploads import uploads
from routes.wes.routes import wes
from routes.workflows import workflows
from services.bootstrap import Services, build
from services.settings import Settings

BLUEPRINTS = (
    workflows,
    sheets,
    files,
    uploads,
    imports,
    drafts,
    runs,
    results,
    links,
    provenance,
    databases,
    tokens,
    system,
)


class Api(Flask):
    """Flask without asynchronous functions, so that it need not check at each request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(services: Services | None = None) -> Flask:
    """Return the app over `services`, by default those of the environment.

    It also starts while the database does not respond; requests get 503 until it does.
    """
    if services is None:
        services = build(Settings.load())
        threading.Thread(target=_prepare, args=(services,), name="indexes", daemon=True).start()
    app = Api(__name__, static_folder=None, template_folder="routes/templates")
    app.url_map.merge_slashes = False  # URLs are used as sent
    app.json.sort_keys = False  # type: ignore[attr-defined]  # keep the order of the document
    attach(app, services)
    compression.install(app)
    errors.register(app)
    rate_limits.install(app, services.settings)
    guard = Guard(services.settings)
    guard.install(app)
    Cors(guard).install(app)
    base_path.install(app, services.settings)
    for blueprint in (*BLUEPRINTS, wes, blast, index):
        app.register_blueprint(blueprint)
    streams.install(app)
    openapi.install(app, services.settings.public_api_url)
    return app


def _prepare(services: Services) -> None:
    """Create the indexes once the database responds. Several processes may do so at once."""
    services.database.wait()
    services.database.create_indexes()
