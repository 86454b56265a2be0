from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from services.errors import DatabaseUnavailable, NotFound, RundeskError, TooMany
from services.single_flight import ShortCache, SingleFlight, copy_of
from tests.helpers.waiting import until


class Source:
    """A function that counts its calls."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self._error = error

    def __call__(self) -> int:
        self.calls += 1
        if self._error:
            raise self._error
        return self.calls


def raised_by(call) -> RundeskError:
    with pytest.raises(RundeskError) as caught:
        call()
    return caught.value


def test_cache_returns_the_same_value_for_a_short_time():
    cache, source = ShortCache(60), Source()
    assert [cache.get("a", source) for _ in range(3)] == [1, 1, 1]
    assert cache.get("b", source) == 2


def test_cache_calls_again_when_the_value_is_old():
    cache, source = ShortCache(0), Source()
    assert [cache.get("a", source) for _ in range(3)] == [1, 2, 3]


def test_cache_calls_again_after_forget():
    cache, source = ShortCache(60), Source()
    cache.get("a", source)
    cache.forget()
    assert cache.get("a", source) == 2


def test_cache_keeps_an_error_and_raises_an_object_of_its_own_each_time():
    source = Source(DatabaseUnavailable())
    cache = ShortCache(60)
    errors = [raised_by(lambda: cache.get("a", source)) for _ in range(3)]
    assert source.calls == 1
    assert {type(error) for error in errors} == {DatabaseUnavailable}
    assert len(set(map(id, errors))) == 3
    assert {error.__cause__ for error in errors} == {source._error}


def test_cache_shares_one_call_among_threads():
    cache, source, go = ShortCache(60), Source(), threading.Event()
    values = []

    def slow():
        go.wait(10)
        return source()

    def get():
        values.append(cache.get("a", slow))

    threads = [threading.Thread(target=get) for _ in range(20)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert values == [1] * 20


def test_cache_drops_old_values(monkeypatch):
    monkeypatch.setattr("services.single_flight.MAX_CACHED_VALUES", 10)
    cache = ShortCache(60)
    for number in range(25):
        assert cache.get(number, lambda number=number: number) == number
    assert len(cache._entries) <= 10


@pytest.mark.parametrize("error", [NotFound(field="run"), TooMany(seconds=3), OSError(28, "full")])
def test_copy_of_an_exception_equals_it(error):
    twin = copy_of(error)
    assert twin is not error
    assert (type(twin), twin.args, vars(twin)) == (type(error), error.args, vars(error))
    assert str(twin) == str(error)


class SlowCall:
    """A call that ends when the test says so. Also its key, which counts the threads that ask."""

    def __init__(self) -> None:
        self.flight = SingleFlight()
        self.started, self.asked = 0, 0
        self.error: Exception | None = None
        self.may_end = threading.Semaphore(0)

    def __hash__(self) -> int:  # computed once by each thread that asks
        self.asked += 1
        return 1

    def __call__(self) -> int:
        self.started += 1
        number = self.started
        assert self.may_end.acquire(timeout=30)
        if self.error:
            raise self.error
        return number

    def asked_in(self, pool: ThreadPoolExecutor) -> Future[int]:
        """Ask in another thread; returns when that has joined a call."""
        before = self.asked
        asker = pool.submit(self.flight.get, self, self)
        until(lambda: self.asked > before)
        with self.flight._lock:
            return asker


def test_single_flight_threads_that_ask_during_a_call_share_the_next_one():
    call = SlowCall()
    with ThreadPoolExecutor(8) as pool:
        first, *late = [call.asked_in(pool) for _ in range(6)]
        call.may_end.release()
        assert first.result(30) == 1
        call.may_end.release()
        assert [asker.result(30) for asker in late] == [2] * 5
    assert call.flight._calls == {}


def test_single_flight_other_keys_do_not_wait():
    call = SlowCall()
    with ThreadPoolExecutor(1) as pool:
        first = call.asked_in(pool)
        assert call.flight.get("other", lambda: "value") == "value"
        call.may_end.release()
        assert first.result(30) == 1


def test_single_flight_failure_is_raised_in_every_thread_as_an_object_of_its_own():
    call = SlowCall()
    call.error = DatabaseUnavailable()
    with ThreadPoolExecutor(4) as pool:
        askers = [call.asked_in(pool) for _ in range(3)]
        call.may_end.release()
        errors = [asker.exception(30) for asker in askers]
    assert {type(error) for error in errors} == {DatabaseUnavailable}
    assert len(set(map(id, errors))) == 3
    assert call.error not in errors
    assert call.started == 1
    assert call.flight.get("other", lambda: "back") == "back"
