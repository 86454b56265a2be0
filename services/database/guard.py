"""Turns the driver's ways of saying "nobody answers" into ours."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError, WTimeoutError

from services.errors import DatabaseUnavailable

C = TypeVar("C", bound=type)


def translated(call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, raising DatabaseUnavailable where MongoDB did not answer in time."""

    @functools.wraps(call)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except (ConnectionFailure, ExecutionTimeout, WTimeoutError) as error:
            raise DatabaseUnavailable from error
        except PyMongoError as error:
            if error.timeout:
                raise DatabaseUnavailable from error
            raise

    return guarded


def guarded(store: C) -> C:
    """Class decorator: every public method of a store is translated."""
    for name, member in list(vars(store).items()):
        if callable(member) and not name.startswith("_"):
            setattr(store, name, translated(member))
    return store
