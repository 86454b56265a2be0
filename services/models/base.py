"""The base classes of all models."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")

MAX_PAGE_SIZE = 200  # items of one page of a list


def _as_integer(value: Any) -> Any:
    """Return an integer for a float such as 90.0, because JSON does not distinguish the two."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[int, BeforeValidator(_as_integer)]  # of a strict model


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
