"""The base classes of all models."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

MAX_PAGE_SIZE = 200  # items of one page of a list


class Model(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True)


class Page(Model, Generic[T]):
    """A page of a list, newest first. `next` is the token of the next page, if there is one."""

    items: list[T]
    next: str | None = None
    total: int | None = Field(
        None,
        description="Number of items on all pages; null: not counted",
    )
    total_capped: bool = Field(
        False, description="Whether there are more than `total` items, which are not counted"
    )
