"""Users, tokens and sessions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from services.models.base import Integer, Model


class Scope(StrEnum):
    """What a token allows. Each scope includes those before it."""

    READ = "read"  # read what belongs to its user
    SUBMIT = "submit"  # also upload, submit and change
    ADMIN = "admin"  # everything an administrator may do


class Actor(Model):
    """The user on whose behalf a service is called, and the token that was sent."""

    id: str
    admin: bool = False
    token: Scope | None = Field(
        None, description="Scope of the token that was sent; null: no token was sent"
    )
    token_id: str | None = Field(None, description="Id of the token that was sent")


TokenId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{24}$",
        description="Identifier of a token, which is not its secret",
        examples=["65f0c0ffee0123456789abd0"],
    ),
]


class TokenRequest(Model):
    """A token to create."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, description="Purpose of the token")
    scope: Scope = Field(Scope.READ, description="What the token allows")
    days: Integer = Field(90, ge=1, le=3650, strict=True, description="Lifetime in days")
    owner: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Owner of the token; only administrators may name another user",
    )


class Token(Model):
    """A token without its secret, which is not stored."""

    id: TokenId
    name: str
    owner: str
    scope: Scope
    created: datetime
    expires: datetime
    used: datetime | None = Field(description="Approximate time of last use; null: never used")


class NewToken(Token):
    """A new token with its secret."""

    secret: str = Field(description="The secret to send; it is shown only once")


class NewSession(Model):
    """A new session of a browser in the portal."""

    secret: str = Field(description="Value of the session cookie")
    expires: datetime
