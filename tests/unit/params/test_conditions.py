"""Parameters that exist or are required only for certain values of others."""

from __future__ import annotations

import pytest

from services.errors import Invalid
from services.params import conditions, file_values, validation
from services.params.schema import flatten

SCHEMA = {
    "$defs": {
        "main": {
            "title": "Main",
            "type": "object",
            "properties": {
                "mode": {"type": "string", "enum": ["plain", "own"], "default": "plain"},
                "user": {"type": "string"},
                "password": {"type": "string"},
                "trim": {"type": "boolean", "default": False},
            },
            "required": ["mode"],
            "if": {"properties": {"mode": {"const": "own"}}, "required": ["mode"]},
            "then": {
                "properties": {
                    "model": {"type": "string", "format": "file-path", "pattern": r"\.hmm$"},
                    "depth": {"type": "integer", "default": 4, "maximum": 9},
                },
                "required": ["model"],
            },
            "else": {"properties": {"preset": {"type": "string", "default": "fast"}}},
        }
    },
    "allOf": [
        {"$ref": "#/$defs/main"},
        {
            "if": {"properties": {"trim": {"const": True}}, "required": ["trim"]},
            "then": {"properties": {"adapter": {"type": "string"}}, "required": ["adapter"]},
        },
        {
            "if": {"required": ["depth"], "properties": {"depth": {"minimum": 5}}},
            "then": {"properties": {"patience": {"type": "number", "default": 0.5}}},
        },
    ],
    "dependentRequired": {"user": ["password"]},
}


def problems(given):
    with pytest.raises(Invalid) as refused:
        validation.check(SCHEMA, given)
    return {problem.field: (problem.code, problem.message) for problem in refused.value.problems}


def shown(values):
    return set(conditions.fields(flatten(SCHEMA), values))


def test_fields_branch_applies_has_its_parameters():
    assert shown({"mode": "plain"}) == {"preset"}
    assert shown({"mode": "own"}) == {"model", "depth"}
    assert shown({"mode": "own", "depth": 7}) == {"model", "depth", "patience"}
    assert shown({"mode": "plain", "trim": True}) == {"preset", "adapter"}


def test_possible_has_the_parameters_of_every_branch():
    found = conditions.possible(flatten(SCHEMA))
    assert set(found) == {"model", "depth", "preset", "adapter", "patience"}


def test_required_follows_the_values():
    flat = flatten(SCHEMA)
    assert conditions.required(flat, {"mode": "plain"}) == {"mode"}
    assert conditions.required(flat, {"mode": "own"}) == {"mode", "model"}
    assert conditions.required(flat, {"mode": "plain", "user": "ann"}) == {"mode", "password"}


def test_check_fills_in_defaults_that_apply():
    assert validation.check(SCHEMA, {}) == {"mode": "plain", "trim": False, "preset": "fast"}
    given = {"mode": "own", "model": "0" * 24, "depth": 6}
    assert validation.check(SCHEMA, given) == {**given, "trim": False, "patience": 0.5}


def test_check_condition_not_met_names_the_missing_parameter():
    assert problems({"mode": "own"}) == {"params.model": ("missing", "Required.")}
    assert problems({"trim": True}) == {"params.adapter": ("missing", "Required.")}
    assert problems({"user": "ann"}) == {
        "params.password": ("missing", "Required together with user.")
    }
    assert "params.depth" in problems({"mode": "own", "model": "0" * 24, "depth": 10})


def test_check_parameter_of_another_branch_is_unknown():
    assert problems({"mode": "plain", "model": "0" * 24}) == {
        "params.model": ("unknown_field", "Unknown parameter.")
    }


def test_file_of_a_branch_is_a_file():
    (found,) = file_values.file_values(SCHEMA, {"mode": "own", "model": "0" * 24})
    assert (found.field, found.pattern) == ("model", r"\.hmm$")
