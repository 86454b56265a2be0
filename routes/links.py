"""Links that a browser opens without a token, for a limited time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, unquote, urlsplit

from flask import Blueprint
from pydantic import ConfigDict, Field

from routes.http import examples
from routes.http.context import services
from routes.http.operation import operation
from services.models import Actor, Model
from services.models.base import Integer

links = Blueprint("links", __name__, url_prefix="/api/v1/links")


class LinkRequest(Model):
    """A resource of this API that a browser is to open."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: str = Field(
        pattern=r"^/api/v1/(runs|files)/[!-~]{1,2000}$",
        description="Path of a resource below `/api/v1/runs/` or `/api/v1/files/`, percent-encoded,"
        " with its query parameters",
        examples=[examples.LINK_PATH],
    )
    seconds: Integer = Field(3600, ge=1, le=604_800, description="Time until the link expires")


class Link(Model):
    """A link. Anyone who has it can open the resource until it expires."""

    url: str = Field(description="URL of the resource with a signature")
    expires: datetime


@links.post("")
@operation(status=201, request={"path": examples.LINK_PATH, "seconds": 600}, example=examples.LINK)
def create_link(actor: Actor, body: LinkRequest) -> Link:
    """Create a signed link.

    The link works without a token, for reading only: as `href`, `src`, in `EventSource`, and in
    programs that read ranges, such as igv.js. It is valid for this one path. A link that was made
    with a token ends with it. Whether the resource exists is checked when the link is used.
    """
    parts = urlsplit(body.path)
    url = services().links.make(
        actor, unquote(parts.path), seconds=body.seconds, **dict(parse_qsl(parts.query))
    )
    return Link(url=url, expires=datetime.now(UTC) + timedelta(seconds=body.seconds))
