"""How names compare."""

from __future__ import annotations

import pytest

from services.params.names import best_matches, first_invisible, folded, normal, visible

NFD, NFC = "Probe_a\u0308_R1.fastq", "Probe_\u00e4_R1.fastq"


@pytest.mark.parametrize(
    ("name", "names", "matches"),
    [
        (NFC, [NFD, "b.fastq"], [NFD]),  # uploaded from macOS
        (NFD, [NFC, "b.fastq"], [NFC]),
        ("a.mzML", ["A.mzML", "a.mzML"], ["a.mzML"]),
        ("a.mzML", ["A.mzML", "a.MZML"], ["A.mzML", "a.MZML"]),
        ("a\u200b.mzML", ["A.mzML", "a.mzML"], ["a.mzML"]),
        ("\ufeffa\u00ad.mzML\u200e", ["a.mzML"], ["a.mzML"]),
        ("\uff33\uff11\uff08\uff12\uff09.fq", ["S1(2).fq"], ["S1(2).fq"]),  # fullwidth
        ("my  file\u00a0.fq", ["my file .fq"], ["my file .fq"]),
        ("\uac01.fq", ["\u1100\u1161\u11a8.fq"], ["\u1100\u1161\u11a8.fq"]),  # Hangul
        ("a.fq", ["b.fq"], []),
        ("cafe.fq", ["café.fq"], []),  # accents distinguish names
    ],
)
def test_best_matches_takes_the_most_exact_form(name, names, matches):
    assert best_matches(name, names) == matches


@pytest.mark.parametrize(
    "character", "\u00ad\u061c\u200b\u200e\u202a\u2060\u2066\ufeff\u3164\u200d"
)
def test_visible_drops_characters_that_cannot_be_seen(character):
    assert visible(f"S{character}1{character}") == "S1"
    assert first_invisible(f"S{character}1") == f"U+{ord(character):04X}"
    assert folded(f"s{character}1") == normal("s1")


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e",
        "क्\u200dष",
        "\U0001f469\u200d\U0001f52c",
        "plain",
        "样品 1",
        "±5 µL",
    ],
)
def test_visible_keeps_joiners_that_shape_letters_and_emoji(text):
    assert visible(text) == text
    assert first_invisible(text) == ""
