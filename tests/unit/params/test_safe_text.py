"""Which characters a text takes whose schema has no rule for it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.errors import Invalid
from services.params import validation
from services.params.portable_patterns import is_portable
from services.params.safe_text import SAFE_TEXT, UNSAFE_CHARACTERS, with_safe_texts

TEXT: dict[str, Any] = {"type": "string"}


def accepted(field: dict[str, Any], value: Any) -> bool:
    schema = with_safe_texts({"type": "object", "properties": {"text": field}})
    try:
        validation.check(schema, {"text": value})
    except Invalid:
        return False
    return True


@pytest.mark.parametrize(
    "value",
    ["", "Sample 1", "肝 control", "a-b=c_d.(e)/f+g*h^i,j:k?l!", "5%", "me@example.org", "é"],
)
def test_a_text_takes_letters_digits_and_harmless_characters(value):
    assert accepted(TEXT, value)


@pytest.mark.parametrize(
    "value", ["$(id)", "`id`", "a;id", "a\nid", "a\n", "a|b", "a&b", "a>b", "it's", "\0"]
)
def test_a_text_takes_nothing_with_a_meaning_in_a_shell(value):
    assert not accepted(TEXT, value)
    assert not accepted({"type": "array", "items": TEXT}, [value])
    assert not accepted({"type": "object", "properties": {"inner": TEXT}}, {"inner": value})
    assert not accepted({"type": "object", "additionalProperties": TEXT}, {"inner": value})
    assert not accepted({"anyOf": [TEXT, {"type": "null"}]}, value)
    assert not accepted({"type": ["string", "null"]}, value)
    assert not accepted({**TEXT, "format": "email"}, f"{value}@example.org")


@pytest.mark.parametrize(
    "field",
    [
        {**TEXT, "x-free-text": True},
        {**TEXT, "pattern": "^.+$"},
        {**TEXT, "enum": ["$(id)"]},
        {**TEXT, "default": "$(id)"},
        {"type": "array", "items": {**TEXT, "x-free-text": True}},
    ],
)
def test_a_rule_of_the_schema_is_the_only_one(field):
    assert accepted(field, ["$(id)"] if field["type"] == "array" else "$(id)")


def test_the_problem_names_the_characters():
    schema = with_safe_texts({"type": "object", "properties": {"text": TEXT}})
    with pytest.raises(Invalid) as refused:
        validation.check(schema, {"text": "$(id)"})
    (problem,) = refused.value.problems
    assert problem.field == "params.text"
    assert "$ & '" in problem.message
    assert "x-free-text" in problem.text.hint


def test_files_and_conditions_are_left_as_they_are():
    schema = {
        "properties": {"reads": {"type": "string", "format": "file-path"}},
        "if": {"properties": {"mode": {"type": "string"}}},
    }
    assert with_safe_texts(schema) == schema


def test_the_pattern_means_the_same_in_javascript_and_names_every_character():
    assert is_portable(SAFE_TEXT)
    refused = {chr(code) for code in range(128) if not re.search(SAFE_TEXT, chr(code))}
    assert refused == {*UNSAFE_CHARACTERS, *map(chr, range(32)), chr(127)}
