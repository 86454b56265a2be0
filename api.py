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
from routes.http import errors, openapi, rate_limits, streams
from routes.http.context import attach
from routes.http.cors import Cors
from routes.http.guard import Guard
from routes.imports import imports
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

OWN = (
    workflows,
    sheets,
    files,
    uploads,
    imports,
    drafts,
    runs,
    results,
    provenance,
    databases,
    tokens,
    system,
)


class Api(Flask):
    """Flask, none of whose functions is asynchronous: it need not ask each, at each request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(services: Services | None = None) -> Flask:
    """The app over `services`; over those of the environment when none are given.

    It starts while the database is away, and answers 503 until it is there.
    """
    if services is None:
        services = build(Settings.load())
        threading.Thread(target=_prepare, args=(services,), name="indexes", daemon=True).start()
    app = Api(__name__, static_folder=None, template_folder="routes/templates")
    app.url_map.merge_slashes = False  # an address is taken as it is sent
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the document keeps its order
    attach(app, services)
    errors.register(app)
    rate_limits.install(app, services.settings)
    guard = Guard(services.settings)
    guard.install(app)
    Cors(guard).install(app)
    for blueprint in (*OWN, wes, blast):
        app.register_blueprint(blueprint)
    streams.install(app)
    openapi.install(app)
    return app


def _prepare(services: Services) -> None:
    """Once the database answers, make its indexes: whichever process comes first does."""
    services.database.wait()
    services.database.create_indexes()
