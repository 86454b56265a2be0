"""References within a schema, and replacing them by what they point to."""

from __future__ import annotations

import pytest

from services.params.refs import BadReference, inlined, target

WHOLE = {
    "$defs": {
        "name": {"type": "string", "minLength": 2},
        "sample": {
            "type": "object",
            "properties": {"name": {"$ref": "#/$defs/name"}, "file": {"format": "file-path"}},
        },
        "tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
        "a/b~c": {"type": "boolean"},
    }
}


def test_target_follows_names_with_slashes_and_tildes():
    assert target(WHOLE, "#/$defs/a~1b~0c") == {"type": "boolean"}
    assert target(WHOLE, "#") is WHOLE


@pytest.mark.parametrize(
    "reference", ["#/$defs/none", "#/$defs/name/type", "other.json#/x", "#name", "x"]
)
def test_target_reference_to_nothing_is_none(reference):
    assert target(WHOLE, reference) is None


@pytest.mark.parametrize(
    ("part", "found"),
    [
        (
            {"type": "array", "items": {"$ref": "#/$defs/name"}},
            {"type": "array", "items": {"type": "string", "minLength": 2}},
        ),
        (
            {"$ref": "#/$defs/name", "title": "Name", "minLength": 3},
            {"type": "string", "minLength": 3, "title": "Name"},
        ),
        (
            {"anyOf": [{"$ref": "#/$defs/name"}, {"type": "null"}]},
            {"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]},
        ),
        (
            {"additionalProperties": {"$ref": "#/$defs/sample"}},
            {
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "minLength": 2},
                        "file": {"format": "file-path"},
                    },
                }
            },
        ),
        ({"default": {"$ref": "not a schema"}}, {"default": {"$ref": "not a schema"}}),
        (True, True),
    ],
)
def test_inlined_has_what_was_referred_to(part, found):
    assert inlined(part, WHOLE) == found


def test_inlined_keeps_references_to_themselves():
    assert inlined({"$ref": "#/$defs/tree"}, WHOLE) == WHOLE["$defs"]["tree"]


def test_inlined_leaves_the_schema_alone():
    before = repr(WHOLE)
    inlined({"$ref": "#/$defs/sample"}, WHOLE)
    assert repr(WHOLE) == before


def test_inlined_too_many_parts_is_refused():
    doubled = {
        str(n): {"properties": {side: {"$ref": f"#/$defs/{n + 1}"} for side in "ab"}}
        for n in range(40)
    }
    whole = {"$defs": {**doubled, "40": {"type": "string"}}}
    with pytest.raises(BadReference, match="more than 10,000 parts"):
        inlined({"$ref": "#/$defs/0"}, whole)


def test_inlined_reference_to_nothing_is_refused():
    with pytest.raises(BadReference) as refused:
        inlined({"items": {"$ref": "#/none"}}, WHOLE)
    assert str(refused.value.text) == "The reference #/none points to nothing."
