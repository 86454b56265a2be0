from __future__ import annotations

from services import logs


def test_search_ignores_case_and_counts_all_matches(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\nERROR \xff x\n" + b"error y\n" * 30)
    found = logs.search(path, "Error", limit=3)
    assert found.total == 31
    assert [line.number for line in found.lines] == [30, 31, 32]
    (first,) = logs.search(path, "error \N{REPLACEMENT CHARACTER}").lines
    assert (first.number, first.text) == (2, "ERROR \N{REPLACEMENT CHARACTER} x")


def test_search_words_are_not_a_pattern(tmp_path):
    path = tmp_path / "log"
    path.write_text("a.c\nabc\n")
    assert [line.text for line in logs.search(path, "a.c").lines] == ["a.c"]
    assert logs.search(path, "z").total == 0
