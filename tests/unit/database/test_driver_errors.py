"""The errors that stores raise when MongoDB is unavailable."""

from __future__ import annotations

import pytest
from pymongo.errors import DuplicateKeyError, NetworkTimeout, WriteConcernError

from services.database.driver_errors import translate_method_errors
from services.errors import DatabaseUnavailable


@translate_method_errors
class Store:
    """Raises `error`: at once, or after the first item."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get(self):
        raise self._error

    def items(self):
        yield 1
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        NetworkTimeout("timed out"),
        WriteConcernError("Replication is being shut down", 91),  # as sent by a mongod that stops
    ],
)
def test_unavailable_server_raises_database_unavailable(error):
    with pytest.raises(DatabaseUnavailable):
        Store(error).get()


def test_unavailable_server_raises_database_unavailable_during_iteration():
    items = Store(NetworkTimeout("timed out")).items()
    assert next(items) == 1
    with pytest.raises(DatabaseUnavailable):
        next(items)


def test_other_errors_of_the_driver_are_not_translated():
    store = Store(DuplicateKeyError("there"))
    with pytest.raises(DuplicateKeyError):
        store.get()
    with pytest.raises(DuplicateKeyError):
        list(store.items())
