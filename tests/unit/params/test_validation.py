"""Parameters against a schema: defaults, problems in words, files."""

from __future__ import annotations

import pytest

from services.errors import Invalid
from services.params import validation
from services.params.schema import groups

GROUPED = {
    "$defs": {
        "input": {
            "title": "Inputs",
            "type": "object",
            "required": ["reads"],
            "properties": {
                "reads": {
                    "type": "array",
                    "minItems": 1,
                    "description": "FASTQ files.",
                    "items": {"type": "string", "format": "file-path", "pattern": r"\.fastq$"},
                },
                "genome": {"type": "string", "format": "file-path"},
            },
        },
        "trim": {
            "title": "Trimming",
            "type": "object",
            "properties": {
                "quality": {"type": "integer", "default": 20, "minimum": 0, "maximum": 40},
                "tool": {"enum": ["a", "b"], "default": "a"},
                "nested": {
                    "type": "object",
                    "properties": {"depth": {"type": "integer", "default": 3}},
                },
            },
        },
    },
    "allOf": [{"$ref": "#/$defs/input"}, {"$ref": "#/$defs/trim"}],
}


def problems(schema, given):
    with pytest.raises(Invalid) as caught:
        validation.check(schema, given)
    return {problem.field: problem for problem in caught.value.problems}


def test_groups_follow_the_order_of_all_of():
    found = groups(GROUPED)
    assert [group.title for group in found] == ["Inputs", "Trimming"]
    assert found[0].required == {"reads"}


def test_groups_of_a_flat_schema_is_one_without_title():
    flat = {"title": "All", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    assert [(g.title, list(g.fields), g.required) for g in groups(flat)] == [
        ("", ["x"], frozenset({"x"}))
    ]


def test_check_fills_in_defaults_nested_ones_too():
    checked = validation.check(GROUPED, {"reads": ["1"], "quality": 30})
    assert checked == {"reads": ["1"], "quality": 30, "tool": "a", "nested": {"depth": 3}}


def test_check_leaves_what_it_was_given_alone():
    given = {"reads": ["1"], "nested": {}}
    validation.check(GROUPED, given)
    assert given == {"reads": ["1"], "nested": {}}


def test_check_reports_every_problem_with_its_field():
    found = problems(GROUPED, {"quality": 99, "tool": "c", "qualty": 1})
    assert set(found) == {"params.reads", "params.quality", "params.tool", "params.qualty"}
    assert found["params.reads"].message == "This is needed."
    assert found["params.reads"].hint == "FASTQ files."
    assert found["params.quality"].message == "This must be 40 or less."
    assert found["params.tool"].message == "This must be one of a, b."
    assert found["params.qualty"].hint == "Did you mean quality?"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("20", "This must be a whole number."),
        (20.5, "This must be a whole number."),
        (None, "This must be a whole number."),
        (True, "This must be a whole number."),
        (-1, "This must be 0 or more."),
    ],
)
def test_check_wrong_number_is_told_in_words(value, words):
    found = problems(GROUPED, {"reads": ["1"], "quality": value})
    assert found["params.quality"].message == words


def test_check_a_condition_holds():
    schema = {
        "properties": {"mode": {"enum": ["a", "b"]}, "depth": {"type": "integer"}},
        "if": {"properties": {"mode": {"const": "b"}}, "required": ["mode"]},
        "then": {"required": ["depth"]},
    }
    assert validation.check(schema, {"mode": "a"}) == {"mode": "a"}
    assert set(problems(schema, {"mode": "b"})) == {"params.depth"}


def test_check_pattern_of_a_file_is_not_applied_to_its_id():
    assert validation.check(GROUPED, {"reads": ["65f0c0ffee0123456789abcd"]})


def test_check_pattern_of_a_file_within_an_object_is_not_applied_to_its_id():
    file = {"type": "string", "format": "file-path", "pattern": r"\.bed$"}
    regions = {"type": "array", "items": {"type": "object", "properties": {"bed": file}}}
    given = {"regions": [{"bed": "65f0c0ffee0123456789abcd"}]}
    assert validation.check({"properties": {"regions": regions}}, given) == given
    assert set(problems({"properties": {"regions": regions}}, {"regions": [{"bed": 1}]})) == {
        "params.regions.0.bed"
    }


def test_defaults_are_those_of_the_schema():
    assert validation.defaults(GROUPED) == {"quality": 20, "tool": "a", "nested": {"depth": 3}}


def test_check_tells_only_the_first_of_many_unknown_names():
    found = problems(GROUPED, {"reads": ["1"]} | {f"x{number:05}": 1 for number in range(50_000)})
    assert len(found) == validation.MOST_UNKNOWN
