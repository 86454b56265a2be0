"""Share the result of one call among threads that need the same value at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

CACHE_SECONDS = 1.0
MAX_CACHED_VALUES = 1000


class _Cached:
    """A value that the first thread to need it computes while the others wait."""

    def __init__(self, now: float) -> None:
        self.requested = now
        self.lock = threading.Lock()
        self.ready = False
        self.value: Any = None
        self.error: Exception | None = None


class ShortCache:
    """Cache the results of calls for a short time, errors included.

    Threads that need the same value at the same time share one call.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = CACHE_SECONDS if seconds is None else seconds
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Cached] = {}

    def get(self, key: Hashable, call: Callable[[], T]) -> T:
        """Return the cached result for `key`, or that of `call`. Raises what `call` raises."""
        now = time.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or now - entry.requested >= self._seconds:
                self._make_room(now)
                entry = self._entries[key] = _Cached(now)
        with entry.lock:
            if not entry.ready:
                try:
                    entry.value = call()
                except Exception as error:
                    entry.error = error.with_traceback(None)  # which would keep its frames alive
                entry.ready = True
        if entry.error is not None:
            raise copy_of(entry.error) from entry.error
        value: T = entry.value
        return value

    def forget(self) -> None:
        """Drop every cached result, because the data behind them was changed."""
        with self._lock:
            self._entries.clear()

    def _make_room(self, now: float) -> None:
        if len(self._entries) >= MAX_CACHED_VALUES:
            fresh = {k: v for k, v in self._entries.items() if now - v.requested < self._seconds}
            self._entries = fresh if len(fresh) < MAX_CACHED_VALUES else {}


class SingleFlight:
    """Share one call among threads that need the same value, without returning an old one.

    A call serves only the threads that asked before it started. Threads that ask while it runs
    share the next call, which starts as soon as it ends. When a call fails, as it does while the
    database is unavailable, the next one fails with it, so no thread waits for two timeouts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[Hashable, list[Future[Any]]] = {}  # the running call and the next one

    def get(self, key: Hashable, call: Callable[[], T]) -> T:
        """Return what `call` returns from now on. Raises what `call` raises."""
        with self._lock:
            calls = self._calls.setdefault(key, [])
            leads = len(calls) < 2
            running = calls[0] if leads and calls else None
            if leads:
                calls.append(Future())
            own: Future[T] = calls[-1]
        if leads:
            self._lead(key, own, running, call)
        if (error := own.exception()) is not None:
            raise copy_of(error) from error
        return own.result()

    def _lead(
        self, key: Hashable, own: Future[T], running: Future[Any] | None, call: Callable[[], T]
    ) -> None:
        value, error = None, running.exception() if running else None
        try:
            if error is None:
                value = call()
        except BaseException as raised:
            error = raised  # the threads that wait need it too
        with self._lock:  # before the result: a thread that asks from now on needs another call
            self._calls[key].remove(own)
            if not self._calls[key]:
                del self._calls[key]
        if error is None:
            own.set_result(value)  # type: ignore[arg-type]
        else:
            own.set_exception(error)


def copy_of(error: BaseException) -> BaseException:
    """Return a copy of an exception: each thread must raise an object of its own.

    A traceback belongs to the exception, so threads that raise the same object mix theirs up.
    """
    twin = type(error).__new__(type(error), *error.args)
    vars(twin).update(vars(error))
    return twin
