from __future__ import annotations

from datetime import timedelta

import pytest

from services.models import Graph, Job, State, Step
from tests.helpers.runs import NOW
from ui.formatting import LOOKS, amount, duration, plain, plural, printable, sentences, size
from ui.parts import charts


def test_every_state_has_a_word_of_its_own():
    assert set(LOOKS) == set(State)
    assert len({look.word for look in LOOKS.values()}) == len(State)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.31, "0.3 s"),
        (59.9, "59 s"),
        (61, "1 min 01 s"),
        (3700, "1 h 01 min"),
        (200_000, "2 d 07 h"),
    ],
)
def test_duration_is_formatted_with_units(seconds, words):
    assert duration(seconds) == words


def test_size_is_formatted_with_a_decimal_unit():
    assert [size(n) for n in (0, 999, 1500, 436_000, 2_500_000_000)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "436 kB",
        "2.5 GB",
    ]


def test_counts_choose_singular_and_plural():
    assert [amount(count, "run") for count in (0, 1, 1200)] == ["0 runs", "1 run", "1,200 runs"]
    forms = ("1 run in {place}.", "{count} runs in {place}.")
    assert plural(1, *forms, place="a") == "1 run in a."
    assert plural(1200, *forms, place="{b}") == "1,200 runs in {b}."


def test_sentences_leave_out_empty_ones():
    assert sentences("It failed.", "", "Try again.") == "It failed. Try again."


def test_plain_escapes_every_mark_and_keeps_the_words():
    text = plain("![x](http://e.example/x.png) :red[*b*] $x$\n# <i> www.e.example 12:30")
    unmarked = text.replace("\\", "").replace("\u2060", "")
    assert unmarked == "![x](http://e.example/x.png) :red[*b*] $x$ # <i> www.e.example 12:30"
    assert not any(mark in text.replace("\\" + mark, "") for mark in "![](){}<>#*_`$:|~")
    assert ":\u2060//" not in text
    assert "\\:\u2060\\/" in text
    assert "12\\:30" in text


def test_printable_drops_colours_and_control_characters():
    assert printable("\x1b[31mred\x1b[0m\r\nnext\x00\tend\x07") == "red\nnext\tend"


def job(number, seconds, state=State.COMPLETE, **wildcards):
    ended = None if state is State.RUNNING else NOW + timedelta(seconds=seconds + 10)
    return Job(
        id=f"1-{number}",
        rule="search",
        state=state,
        wildcards=wildcards,
        started=NOW + timedelta(seconds=seconds),
        ended=ended,
    )


def test_timeline_draws_one_line_for_each_job_in_a_fitting_unit():
    jobs = [job(1, 0, part="1"), job(2, 600, part="1"), job(3, 900, State.RUNNING)]
    rows, spec = charts.timeline(jobs, NOW, NOW + timedelta(seconds=1200))
    assert [row["job"] for row in rows] == ["search 1", "search 1 (1-2)", "search"]
    assert [(row["from"], round(row["to"], 2)) for row in rows] == [
        (0, 0.17),
        (10, 10.17),
        (15, 20),
    ]
    assert spec["encoding"]["x"]["axis"]["title"] == "Minutes since the start"
    assert spec["encoding"]["color"]["scale"]["domain"] == ["Done", "Running"]


def test_timeline_of_jobs_without_length_has_room_for_them():
    at_once = job(1, 0).model_copy(update={"ended": NOW})
    rows, spec = charts.timeline([at_once], NOW, NOW)
    assert 0 == rows[0]["from"] < rows[0]["to"]
    assert spec["encoding"]["x"]["scale"]["domain"] == [0, 1.0]


def test_timeline_of_nothing_is_empty():
    assert charts.timeline([], NOW, NOW)[0] == []


def test_dot_quotes_names_of_rules():
    step = Step(
        rule='a"; b [x', state=State.RUNNING, total=2, done=1, failed=0, running=1, mean_seconds=1
    )
    text = charts.dot(Graph(steps=[step], links=[('a"; b [x', "unknown")]))
    assert 'label="a\\"; b [x\\n1 of 2"' in text
    assert "->" not in text
