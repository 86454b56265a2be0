"""Drafts: filled forms of runs that are not submitted yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from services.models.base import Model


class DraftRequest(Model):
    """A filled form to keep."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    content: dict[str, Any] = Field(
        description="The form, in any shape that its page can restore: a JSON object of at most"
        " 1 MiB"
    )
    digest: str = Field(
        description="Digest of the workflow that the form was filled in for: 64 lowercase"
        " hexadecimal characters"
    )


class Draft(Model):
    """A filled form of a run, kept for one user and one workflow."""

    workflow: str
    digest: str = Field(
        description="Digest of the workflow that the form was filled in for; when the workflow has"
        " another digest now, it has changed since"
    )
    content: dict[str, Any] = Field(
        description="The form as it was saved; its files may have been deleted since"
    )
    saved: datetime = Field(
        description="Time at which it was last stored; it is deleted 30 days later"
    )
