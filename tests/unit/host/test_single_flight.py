from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from services.errors import DatabaseUnavailable
from services.single_flight import Shared, Together
from tests.helpers.waiting import until


class Source:
    """Counts how often it is asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self._error = error

    def __call__(self) -> int:
        self.asked += 1
        if self._error:
            raise self._error
        return self.asked


def test_answer_is_given_again_for_a_moment():
    shared, source = Shared(60), Source()
    assert [shared.get("a", source) for _ in range(3)] == [1, 1, 1]
    assert shared.get("b", source) == 2


def test_answer_that_is_old_is_asked_anew():
    shared, source = Shared(0), Source()
    assert [shared.get("a", source) for _ in range(3)] == [1, 2, 3]


def test_forget_asks_anew():
    shared, source = Shared(60), Source()
    shared.get("a", source)
    shared.forget()
    assert shared.get("a", source) == 2


def test_error_is_shared_too():
    shared, source = Shared(60), Source(DatabaseUnavailable())
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            shared.get("a", source)
    assert source.asked == 1


def test_many_at_once_ask_once():
    shared, source, go = Shared(60), Source(), threading.Event()
    answers = []

    def slow():
        go.wait(10)
        return source()

    def look():
        answers.append(shared.get("a", slow))

    threads = [threading.Thread(target=look) for _ in range(20)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert answers == [1] * 20


def test_old_answers_are_dropped(monkeypatch):
    monkeypatch.setattr("services.single_flight.MOST", 10)
    shared = Shared(60)
    for number in range(25):
        assert shared.get(number, lambda number=number: number) == number
    assert len(shared._answers) <= 10


class Look:
    """A question whose answer takes until it is told to come; knows how many ask it."""

    def __init__(self) -> None:
        self.together = Together()
        self.began, self.asked = 0, 0
        self.error: Exception | None = None
        self.may_end = threading.Semaphore(0)

    def __hash__(self) -> int:  # looked up once by each who asks
        self.asked += 1
        return 1

    def answer(self) -> int:
        self.began += 1
        number = self.began
        assert self.may_end.acquire(timeout=30)
        if self.error:
            raise self.error
        return number

    def asked_by(self, pool: ThreadPoolExecutor) -> Future[int]:
        """Somebody who has joined a look."""
        others = self.asked
        asker = pool.submit(self.together.get, self, self.answer)
        until(lambda: self.asked > others)
        with self.together._lock:
            return asker


def test_together_who_asks_during_a_look_shares_the_next_one():
    look = Look()
    with ThreadPoolExecutor(8) as pool:
        first, *late = [look.asked_by(pool) for _ in range(6)]
        look.may_end.release()
        assert first.result(30) == 1
        look.may_end.release()
        assert [asker.result(30) for asker in late] == [2] * 5
    assert look.together._rounds == {}


def test_together_other_questions_wait_for_nothing():
    look = Look()
    with ThreadPoolExecutor(1) as pool:
        first = look.asked_by(pool)
        assert look.together.get("other", lambda: "answer") == "answer"
        look.may_end.release()
        assert first.result(30) == 1


def test_together_failure_is_told_to_those_who_wait_too():
    look = Look()
    look.error = DatabaseUnavailable()
    with ThreadPoolExecutor(4) as pool:
        askers = [look.asked_by(pool) for _ in range(3)]
        look.may_end.release()
        for asker in askers:
            with pytest.raises(DatabaseUnavailable):
                asker.result(30)
    assert look.began == 1
    assert look.together.get("other", lambda: "back") == "back"
