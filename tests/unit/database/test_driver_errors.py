"""What stores raise when MongoDB does not answer."""

from __future__ import annotations

import pytest
from pymongo.errors import DuplicateKeyError, NetworkTimeout, WriteConcernError

from services.database.driver_errors import guarded
from services.errors import DatabaseUnavailable


@guarded
class Store:
    """Fails as it is told to, at once and after the first of several."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def one(self):
        raise self._error

    def several(self):
        yield 1
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        NetworkTimeout("timed out"),
        WriteConcernError("Replication is being shut down", 91),  # as a mongod says that ends
    ],
)
def test_no_answer_is_told_in_our_words(error):
    with pytest.raises(DatabaseUnavailable):
        Store(error).one()


def test_no_answer_is_told_also_to_who_asks_for_more():
    found = Store(NetworkTimeout("timed out")).several()
    assert next(found) == 1
    with pytest.raises(DatabaseUnavailable):
        next(found)


def test_what_mongodb_answered_stays_as_it_is():
    store = Store(DuplicateKeyError("there"))
    with pytest.raises(DuplicateKeyError):
        store.one()
    with pytest.raises(DuplicateKeyError):
        list(store.several())
