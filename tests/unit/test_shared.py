from __future__ import annotations

import threading

import pytest

from services.errors import DatabaseUnavailable
from services.shared import Shared


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
    monkeypatch.setattr("services.shared.MOST", 10)
    shared = Shared(60)
    for number in range(25):
        assert shared.get(number, lambda number=number: number) == number
    assert len(shared._answers) <= 10
