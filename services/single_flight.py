"""Answers that are shared for a moment: many who look at the same thing cost one look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

MOMENT = 1.0  # s
MOST = 1000  # answers kept


class _Answer:
    """One question: asked by whoever comes first, while the others wait."""

    def __init__(self, now: float) -> None:
        self.asked = now
        self.lock = threading.Lock()
        self.given = False
        self.value: Any = None
        self.error: Exception | None = None


class Shared:
    """Gives an answer again for a moment, also one that is an error."""

    def __init__(self, moment: float | None = None) -> None:
        self._moment = MOMENT if moment is None else moment
        self._lock = threading.Lock()
        self._answers: dict[Hashable, _Answer] = {}

    def get(self, key: Hashable, ask: Callable[[], T]) -> T:
        """What `ask` answers now, or answered within the last moment under this key."""
        now = time.monotonic()
        with self._lock:
            answer = self._answers.get(key)
            if answer is None or now - answer.asked >= self._moment:
                self._drop(now)
                answer = self._answers[key] = _Answer(now)
        with answer.lock:
            if not answer.given:
                try:
                    answer.value = ask()
                except Exception as error:
                    answer.error = error
                answer.given = True
        if answer.error is not None:
            raise answer.error.with_traceback(None)
        value: T = answer.value
        return value

    def forget(self) -> None:
        """Ask anew from now on: something was changed."""
        with self._lock:
            self._answers.clear()

    def _drop(self, now: float) -> None:
        if len(self._answers) >= MOST:
            fresh = {k: a for k, a in self._answers.items() if now - a.asked < self._moment}
            self._answers = fresh if len(fresh) < MOST else {}


class _Round:
    """A look that is under way, or the one after it."""

    def __init__(self) -> None:
        self.over = threading.Lock()  # held until then; an Event costs each who waits much more
        self.over.acquire()
        self.value: Any = None
        self.error: BaseException | None = None

    def wait(self) -> None:
        with self.over:
            return


class Together:
    """Has those who ask the same at the same time share a look, without ever giving an old answer.

    A look answers only who asked before it began: who comes while one is under way shares the next
    one. Where the one under way fails, as it does while the database is away, so does the next:
    nobody waits twice for that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rounds: dict[Hashable, list[_Round]] = {}  # the one under way, the one after it

    def get(self, key: Hashable, ask: Callable[[], T]) -> T:
        """What `ask` answers from now on."""
        with self._lock:
            rounds = self._rounds.setdefault(key, [])
            before = rounds[0] if rounds else None
            leads = len(rounds) < 2
            if leads:
                rounds.append(_Round())
            own = rounds[-1]
        if leads:
            self._look(key, own, before, ask)
        else:
            own.wait()
        if own.error is not None:
            raise own.error.with_traceback(None)
        value: T = own.value
        return value

    def _look(
        self, key: Hashable, own: _Round, before: _Round | None, ask: Callable[[], T]
    ) -> None:
        if before is not None:
            before.wait()
            own.error = before.error
        try:
            if own.error is None:
                own.value = ask()
        except BaseException as error:
            own.error = error  # for those who wait, too
        finally:
            with self._lock:
                self._rounds[key].remove(own)
                if not self._rounds[key]:
                    del self._rounds[key]
            own.over.release()
