"""Translate the driver's errors about an unavailable server into DatabaseUnavailable."""

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


def translate_errors(call: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: raise DatabaseUnavailable where MongoDB does not answer in time.

    Covers generators until they are exhausted.
    """
    if inspect.isgeneratorfunction(call):

        @functools.wraps(call)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with _translating():
                yield from call(*args, **kwargs)
    else:

        @functools.wraps(call)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with _translating():
                return call(*args, **kwargs)

    return wrapper


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
    """Return whether a server raised this while it was shutting down or stepping down.

    The write may have been applied without being confirmed, so it has to be repeated.
    """
    if isinstance(error, BulkWriteError):
        return not error.details.get("writeErrors")  # only the confirmation failed
    return error.has_error_label("RetryableWriteError")


def translate_method_errors(store: C) -> C:
    """Class decorator: apply `translate_errors` to every public method of a store."""
    for name, member in list(vars(store).items()):
        if callable(member) and not name.startswith("_"):
            setattr(store, name, translate_errors(member))
    return store
