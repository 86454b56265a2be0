"""Numbers that are typed as text."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from tests.helpers.properties import given
from ui.forms import numbers


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("", "integer", None),
        (" 12 ", "integer", 12),
        ("-3", "integer", -3),
        ("\N{MINUS SIGN}3", "integer", -3),
        ("1e3", "integer", 1000),
        ("5.0", "integer", 5),
        ("5.5", "integer", 5.5),  # the schema says that it must be an integer
        ("1e-10", "number", 1e-10),
        (".5", "number", 0.5),
        ("7", "number", 7),
        ("0,5", "number", "0,5"),
        ("1_000", "integer", "1_000"),
        ("1e999", "number", "1e999"),
        ("nan", "number", "nan"),
        ("0x10", "integer", "0x10"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "integer", "\N{ARABIC-INDIC DIGIT ONE}"),
        ("9" * 5000, "integer", "9" * 5000),
    ],
)
def test_parse(text, kind, value):
    parsed = numbers.parse(text, kind)
    assert parsed == value
    assert type(parsed) is type(value)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_as_text_of_any_number_is_read_as_the_same_number(value):
    assert numbers.parse(numbers.as_text(value), "number") == value


def test_as_text_is_short():
    assert [numbers.as_text(value) for value in (1e-5, 0.001, 7.5, 100, 3.0, None)] == [
        "1e-5",
        "0.001",
        "7.5",
        "100",
        "3",
        "",
    ]


def test_step_kind_of_small_numbers_is_a_power_of_ten():
    assert numbers.step_kind({"default": 1e-5}, "number") == "power"
    assert numbers.step_kind({"default": 0.5}, "number") == "decimal"
    assert numbers.step_kind({"minimum": 0}, "number") == "decimal"
    assert numbers.step_kind({"default": 3}, "integer") == "integer"
