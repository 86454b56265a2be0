"""Turns the driver's ways of saying "nobody answers" into ours."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    PyMongoError,
    WriteConcernError,
)

from services.errors import DatabaseUnavailable

C = TypeVar("C", bound=type)


def translated(call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, raising DatabaseUnavailable where MongoDB did not answer in time.

    One that yields is guarded for as long as it is asked for more.
    """
    if inspect.isgeneratorfunction(call):

        @functools.wraps(call)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            with _translating():
                yield from call(*args, **kwargs)
    else:

        @functools.wraps(call)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            with _translating():
                return call(*args, **kwargs)

    return guarded


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except (ConnectionFailure, ExecutionTimeout, WriteConcernError) as error:
        raise DatabaseUnavailable from error
    except PyMongoError as error:
        if error.timeout or _between_primaries(error):
            raise DatabaseUnavailable from error
        raise


def _between_primaries(error: PyMongoError) -> bool:
    """Whether a server said this while it was shutting down or stepping down.

    The write may have happened, but not yet for certain: it is to be tried again.
    """
    if isinstance(error, BulkWriteError):
        return not error.details.get("writeErrors")  # only the confirmation is missing
    return error.has_error_label("RetryableWriteError")


def guarded(store: C) -> C:
    """Class decorator: every public method of a store is translated."""
    for name, member in list(vars(store).items()):
        if callable(member) and not name.startswith("_"):
            setattr(store, name, translated(member))
    return store
