"""The desk itself: whether it works."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint
from pydantic import Field

from routes.http import examples
from routes.http.context import desk
from routes.http.openapi import version
from routes.http.operation import operation
from services.models import Actor, Limits, Line, Model, Scope, Statistics

system = Blueprint("system", __name__)


class Health(Model):
    """The desk works."""

    status: Literal["ok"] = "ok"
    database: Literal["ok"] | None = Field("ok", description="null: the database was not checked")
    version: str = Field(description="Version of Rundesk")


class HealthQuery(Model):
    """What a health check includes."""

    database: bool = Field(
        True, description="Also check the database; `false` checks only that the API responds"
    )


class Me(Model):
    """Who asks, as the desk sees it."""

    id: str = Field(description="Name of the user")
    admin: bool = Field(description="Whether everything of everybody may be seen and changed")
    token: Scope | None = Field(description="Scope of the token that was sent; null: none was")


@system.get("/healthz")
@operation(errors=(503,), example=examples.HEALTH)
def get_health(query: HealthQuery) -> Health:
    """Ask whether the desk works.

    503 within 3 seconds while the database is away.
    """
    if not query.database:
        return Health(database=None, version=version())
    desk().database.ping()
    return Health(version=version())


@system.get("/api/v1/me")
@operation(example=examples.ME)
def get_me(actor: Actor) -> Me:
    """Ask who one is to the desk.

    401 when sign-in is on and nobody is signed in.
    """
    return Me(id=actor.id, admin=actor.admin, token=actor.token)


@system.get("/api/v1/queue")
@operation(example=examples.LINE)
def get_queue(actor: Actor) -> Line:
    """Get the queue as a whole.

    The place of a run in it is in the run.
    """
    return desk().installation.queue(actor)


@system.get("/api/v1/limits")
@operation(example=examples.LIMITS)
def get_limits(actor: Actor) -> Limits:
    """Get what this desk takes at most."""
    return desk().installation.limits(actor)


@system.get("/api/v1/statistics")
@operation(example=examples.STATISTICS)
def get_statistics(actor: Actor) -> Statistics:
    """Get how many runs there are, by state and by workflow.

    Of those that the asker may see.
    """
    return desk().installation.statistics(actor)
