"""Who asks, and by what right."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from services.models.base import Model


class Scope(StrEnum):
    """What a token allows; each allows what those before it do."""

    READ = "read"  # to look at what is its user's
    SUBMIT = "submit"  # to upload, submit and change it too
    ADMIN = "admin"  # everything, as an administrator


class Actor(Model):
    """Who asks. Every service call takes one."""

    id: str
    admin: bool = False
    token: Scope | None = Field(
        None, description="What the token allows that was sent; null: the user in person"
    )
    token_id: str | None = Field(None, description="Which token that was")


TokenId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{24}$",
        description="Identifier of a token; not the secret",
        examples=["65f0c0ffee0123456789abd0"],
    ),
]


def _whole(value: Any) -> Any:
    """JSON knows no difference between 90 and 90.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class TokenRequest(Model):
    """A token to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, description="What it is for")
    scope: Scope = Field(Scope.READ, description="What it allows")
    days: Annotated[int, BeforeValidator(_whole)] = Field(
        90, ge=1, le=3650, strict=True, description="How long it counts"
    )
    owner: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="For whom; for others than oneself only by an administrator",
    )


class Token(Model):
    """A token, as it is kept: without the secret."""

    id: TokenId
    name: str
    owner: str
    scope: Scope
    created: datetime
    expires: datetime
    used: datetime | None = Field(description="About when it was last used")


class NewToken(Token):
    """A token that was just made."""

    secret: str = Field(description="What to send; it is shown only now")


class NewSession(Model):
    """A browser was just signed in to the portal."""

    secret: str = Field(description="What its cookie holds")
    expires: datetime
