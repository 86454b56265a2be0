"""Databases: what searches go through, by name."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from routes.http import examples
from routes.http.context import desk
from routes.http.operation import operation
from services.models import Actor, SearchDatabase

databases = Blueprint("databases", __name__, url_prefix="/api/v1")


@databases.get("/databases")
@operation(example=[examples.DATABASE_TOLD])
def list_databases(actor: Actor) -> Sequence[SearchDatabase]:
    """List the databases that sequences can be searched in by name.

    Published ones first, then your own files that were searched in. `indexes` is what was built of
    each; the next search in it goes without.
    """
    return desk().databases.list(actor)
