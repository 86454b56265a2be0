"""Parameters against a schema: defaults, problems, files."""

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
    assert found["params.reads"].message == "Required."
    assert found["params.reads"].hint == "FASTQ files."
    assert found["params.quality"].message == "Must be at most 40."
    assert found["params.tool"].message == "Must be one of a, b."
    assert {field: problem.code for field, problem in found.items()} == {
        "params.reads": "missing",
        "params.quality": "out_of_range",
        "params.tool": "not_allowed",
        "params.qualty": "unknown_field",
    }
    assert found["params.qualty"].hint == "Did you mean quality?"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("20", "Must be an integer."),
        (20.5, "Must be an integer."),
        (None, "Must be an integer."),
        (True, "Must be an integer."),
        (-1, "Must be at least 0."),
    ],
)
def test_check_wrong_number_has_a_sentence(value, words):
    found = problems(GROUPED, {"reads": ["1"], "quality": value})
    assert found["params.quality"].message == words


def test_check_condition_holds_requires_its_parameters():
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


def test_check_many_unknown_names_reports_only_the_first():
    found = problems(GROUPED, {"reads": ["1"]} | {f"x{number:05}": 1 for number in range(50_000)})
    assert len(found) == validation.MAX_UNKNOWN_REPORTED


def test_check_invalid_parameters_has_its_code():
    with pytest.raises(Invalid) as caught:
        validation.check(GROUPED, {})
    assert (caught.value.text.code, caught.value.message) == (
        "invalid_parameters",
        "Invalid parameters.",
    )


@pytest.mark.parametrize(
    ("field", "value", "code", "sentence"),
    [
        ({"type": "boolean"}, 1, "wrong_type", "Must be true or false."),
        (
            {"type": ["string", "null"]},
            1,
            "wrong_type",
            "Must have one of these types: string, null.",
        ),
        ({"enum": [1, None, True]}, 2, "not_allowed", "Must be one of 1, null, true."),
        ({"const": "a"}, "b", "not_allowed", "Must be a."),
        ({"exclusiveMinimum": 0}, 0, "out_of_range", "Must be greater than 0."),
        ({"exclusiveMaximum": 1}, 1, "out_of_range", "Must be less than 1."),
        ({"multipleOf": 2}, 3, "invalid", "Must be a multiple of 2."),
        ({"minItems": 1}, [], "wrong_length", "Must have at least one item."),
        ({"minItems": 2}, [1], "wrong_length", "Must have at least 2 items."),
        ({"maxItems": 2}, [1, 2, 3], "wrong_length", "Must have at most 2 items."),
        ({"uniqueItems": True}, [1, 1], "not_unique", "Must not contain the same item twice."),
        ({"minLength": 1}, "", "wrong_length", "Must not be empty."),
        ({"maxLength": 3}, "abcd", "wrong_length", "Must have at most 3 characters."),
        ({"pattern": "^a$"}, "b", "wrong_format", "Does not have the required format."),
        ({"format": "date"}, "b", "wrong_format", "Must be a valid date."),
        ({"anyOf": [{"type": "null"}]}, 1, "invalid", "Must match one of the alternatives"),
        (False, 1, "invalid", "Not allowed in combination with the other values."),
        ({"additionalProperties": False}, {"a": 1}, "unknown_field", "Unknown field: a."),
        ({"contains": {"type": "null"}}, [1], "invalid", "Invalid value: "),
    ],
)
def test_check_each_rule_has_a_code_and_a_sentence(field, value, code, sentence):
    (problem,) = problems({"properties": {"x": field}}, {"x": value}).values()
    assert problem.code == code
    assert problem.message.startswith(sentence)
    assert problem.message.endswith(".")


def test_check_sheet_of_another_type_is_refused_as_a_sheet():
    sheet = {"type": "string", "format": "file-path", "rows": {"properties": {"sample": {}}}}
    (problem,) = problems({"properties": {"x": sheet}}, {"x": 7}).values()
    assert (problem.code, problem.message) == ("wrong_type", "Must be a file id or a list of rows.")


@pytest.mark.parametrize(
    ("field", "message", "hint"),
    [
        ({"errorMessage": "Small letters only."}, "Small letters only.", ""),
        ({"description": "A name."}, "Does not have the required format.", "A name."),
        ({"examples": ["ann"]}, "Does not have the required format.", "Example: ann"),
        ({}, "Does not have the required format.", ""),
    ],
)
def test_check_wrong_format_is_explained_by_the_schema(field, message, hint):
    schema = {"properties": {"x": {"pattern": "^[a-z]+$", **field}}}
    (problem,) = problems(schema, {"x": "A"}).values()
    assert (problem.code, problem.message, problem.hint) == ("wrong_format", message, hint)
    assert problem.as_dict()["args"]["pattern"] == "^[a-z]+$"
    assert "[a-z]" not in problem.message + problem.hint


def test_check_ignores_defaults_of_a_branch_that_does_not_apply_after_filling_in():
    schema = {
        "properties": {"mode": {"default": "plain"}},
        "if": {"properties": {"mode": {"const": "own"}}},
        "then": {"properties": {"depth": {"default": 4}}},
    }
    assert validation.check(schema, {}) == {"mode": "plain"}
    assert validation.check(schema, {"mode": "own"}) == {"mode": "own", "depth": 4}
