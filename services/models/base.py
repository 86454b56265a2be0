"""What all shapes have in common: they are frozen values."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")

MAX_PAGE_SIZE = 200  # items of one page of a list


class Model(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True)


class Page(Model, Generic[T]):
    """One page of a list, newest first. `next` is the token of the page after it, if any."""

    items: list[T]
    next: str | None = None
