"""The desk itself: whether it works."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint
from pydantic import Field

from routes import examples
from routes.context import desk
from routes.document import version
from routes.operation import operation
from services.models import Model

system = Blueprint("system", __name__)


class Health(Model):
    """The desk works."""

    status: Literal["ok"] = "ok"
    database: Literal["ok"] = "ok"
    version: str = Field(description="Version of Rundesk")


@system.get("/healthz")
@operation(errors=(503,), example=examples.HEALTH)
def get_health() -> Health:
    """Ask whether the desk works.

    503 within 3 seconds while the database is away.
    """
    desk().database.ping()
    return Health(version=version())
