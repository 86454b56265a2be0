"""Databases: sequences to search in, by name."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from routes.http import examples
from routes.http.context import services
from routes.http.operation import operation
from services.models import Actor, SearchDatabase

databases = Blueprint("databases", __name__, url_prefix="/api/v1")


@databases.get("/databases")
@operation(example=[examples.DATABASE])
def list_databases(actor: Actor) -> Sequence[SearchDatabase]:
    """List the databases that can be searched by name.

    Published databases come first, then your own files that have been searched. `indexes` lists the
    indexes that exist; searches reuse them.
    """
    return services().databases.list(actor)
