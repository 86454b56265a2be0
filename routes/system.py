"""The server: its health, queue, limits and statistics, and the current user."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint
from pydantic import Field

from routes.http import examples
from routes.http.context import services
from routes.http.openapi import version
from routes.http.operation import operation
from services.models import Actor, Limits, Line, Model, Scope, Statistics

system = Blueprint("system", __name__)


class Health(Model):
    """The server and its database work."""

    status: Literal["ok"] = "ok"
    database: Literal["ok"] = "ok"
    version: str = Field(description="Version of Rundesk")


class Me(Model):
    """The current user."""

    id: str = Field(description="Name of the user")
    admin: bool = Field(
        description="Whether the user may see and change the resources of all users"
    )
    token: Scope | None = Field(description="Scope of the token used; null: none was used")


@system.get("/healthz")
@operation(errors=(503,), example=examples.HEALTH)
def get_health() -> Health:
    """Get the health of the server.

    503, within 3 seconds, if the database does not respond.
    """
    services().database.ping()
    return Health(version=version())


@system.get("/readyz")
@operation(errors=(503,), example=examples.HEALTH)
def get_readiness() -> Health:
    """Get whether runs start.

    503 if the database does not respond, and within 30 seconds if no runner is active or runs
    cannot start, such as on a full disk. `/healthz` is about the server alone.
    """
    services().installation.check_ready()
    return Health(version=version())


@system.get("/api/v1/me")
@operation(example=examples.ME)
def get_me(actor: Actor) -> Me:
    """Get the current user.

    401 if sign-in is configured and the request is not authenticated.
    """
    return Me(id=actor.id, admin=actor.admin, token=actor.token)


@system.get("/api/v1/queue")
@operation(example=examples.LINE)
def get_queue(actor: Actor) -> Line:
    """Get the state of the queue.

    The position of a run is in the run itself.
    """
    return services().installation.queue(actor)


@system.get("/api/v1/limits")
@operation(example=examples.LIMITS)
def get_limits(actor: Actor) -> Limits:
    """Get the limits of this server."""
    return services().installation.limits(actor)


@system.get("/api/v1/statistics")
@operation(example=examples.STATISTICS)
def get_statistics(actor: Actor) -> Statistics:
    """Get the number of runs by state and by workflow.

    Counts the runs that you may see.
    """
    return services().installation.statistics(actor)
