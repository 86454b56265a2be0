"""The served schema accepts exactly what a submission accepts, as far as a schema can say it."""

from __future__ import annotations

import itertools

import pytest
import yaml
from jsonschema import Draft202012Validator

from services.catalogue.layout import params_schema
from services.errors import Invalid
from services.params.portable_patterns import is_portable
from services.params.public_schema import KEYWORDS, public_schema
from services.params.validation import check
from services.settings import HERE

BUNDLED = sorted(path.parent for path in (HERE / "workflows").glob("*/rundesk.yaml"))
FILE = "65f0c0ffee0123456789abcd"
ABSENT = object()

#: Schema → values of its parameters; each combination is tried.
CASES = {
    "condition on a default": (
        """
        properties:
          mode: {enum: [plain, own], default: plain}
        if: {properties: {mode: {const: own}}}
        then: {required: [model], properties: {model: {type: string}, depth: {default: 4}}}
        else: {properties: {plain: {type: boolean}}}
        """,
        {"mode": ["plain", "own", 3], "model": ["m", 1], "depth": [2], "plain": [True, "x"]},
    ),
    "condition on a required default": (
        """
        properties: {mode: {default: own}, model: {type: string}}
        if: {required: [mode], properties: {mode: {const: own}}}
        then: {required: [model]}
        """,
        {"mode": ["plain", "own"], "model": ["m"]},
    ),
    "condition that is negated": (
        """
        properties: {mode: {default: own}, model: {type: string}}
        allOf:
          - if: {not: {properties: {mode: {const: own}}}}
            then: {required: [model]}
        """,
        {"mode": ["plain", "own"], "model": ["m"]},
    ),
    "condition with alternatives": (
        """
        properties: {a: {default: 1}, b: {type: integer}, c: {type: integer}}
        if: {anyOf: [{properties: {a: {const: 2}}}, {required: [b]}]}
        then: {required: [c]}
        """,
        {"a": [1, 2], "b": [1], "c": [1]},
    ),
    "dependent parameters": (
        """
        properties:
          a: {type: integer}
          b: {type: integer}
          c: {type: integer, default: 1}
          d: {type: integer}
        dependentRequired: {a: [b, c], c: [d]}
        dependentSchemas: {b: {required: [a], properties: {e: {type: integer}}}}
        allOf: [{dependentSchemas: {c: {properties: {d: {maximum: 2}}}}}, {then: {required: [z]}}]
        """,
        {"a": [1], "b": [1], "c": [2], "d": [1, 3], "e": [1, "x"]},
    ),
    "required with a default": (
        "{properties: {a: {type: integer, default: 1}, b: {default: x, type: integer},"
        " c: {type: string, default: null}}, required: [a, b]}",
        {"a": [1, "x"], "b": [1, "x", "y"], "c": ["x", None, 1]},
    ),
    "nested defaults": (
        """
        required: [trim, other]
        properties:
          trim:
            type: object
            required: [from, to]
            properties: {from: {type: integer, default: 1}, to: {type: integer, default: 2}}
          other:
            type: object
            required: [x]
            additionalProperties: false
            properties: {x: {type: integer}, file: {type: string, format: path}}
        """,
        {
            "trim": [{}, {"from": 2}, {"from": "x"}],
            "other": [{}, {"x": 1}, {"x": 1, "file": ""}, {"x": 1, "y": 1}],
        },
    ),
    "groups": (
        """
        allOf:
          - {title: One, required: [a], properties: {a: {type: integer}}}
          - {title: Two, additionalProperties: false, properties: {b: {type: [integer, string]}}}
        """,
        {"a": [1, "x"], "b": [1, "x", 1.5, None], "c": [1]},
    ),
    "further parameters": (
        "{properties: {a: {type: integer}}, additionalProperties: {type: string}}",
        {"a": [1, "x"], "b": [1, "x"]},
    ),
    "types and formats": (
        """
        properties:
          a: {type: [integer, string, "null"], minimum: 3, maxLength: 2}
          b: {type: string, format: date}
          c: {type: string, format: own}
          d: {type: string, pattern: '^(?P<name>[a-z]+)$'}
          e: {type: array, items: {type: [integer, "null"]}, if: {minItems: 1}}
        """,
        {
            "a": [3, 2, "xx", "xxx", None, True],
            "b": ["2026-03-31", "2026-02-31", 1],
            "c": ["x", 1],
            "d": ["x"],
            "e": [[], [1, None], ["x"]],
        },
    ),
    "files": (
        """
        required: [one]
        properties:
          one: {type: string, format: file-path, pattern: '\\.tsv$'}
          two: {type: [string, "null"], format: file-path}
          own: {type: string, format: file-path, default: data/own.tsv}
          many: {type: array, items: {type: string, format: file-path, minLength: 40}}
        """,
        {
            "one": [FILE, "", None, 1, [FILE]],
            "two": [FILE, "", None],
            "own": [FILE, "", "data/own.tsv"],
            "many": [[], [FILE], [FILE, 1], FILE],
        },
    ),
    "tables": (
        """
        required: [one]
        properties:
          one: {type: string, format: file-path, rows: {properties: {a: {type: integer}}}}
          two: {type: string, format: file-path, as_is: true, rows: {properties: {a: {}}}}
        """,
        {"one": [FILE, "", None, [], [{"a": 1}]], "two": [FILE, "", [], [{"a": "x", "b": 1}]]},
    ),
}


def accepted(schema, params) -> bool:
    try:
        check(schema, params)
    except Invalid:
        return False
    return True


@pytest.mark.parametrize("name", CASES)
def test_public_schema_accepts_what_a_submission_accepts(name):
    text, values = CASES[name]
    schema = yaml.safe_load(text)
    validator = validator_of(public_schema(schema))
    kept = set()
    for choice in itertools.product(*([ABSENT, *of] for of in values.values())):
        pairs = zip(values, choice, strict=True)
        params = {key: value for key, value in pairs if value is not ABSENT}
        expected = accepted(schema, params)
        assert validator.is_valid(params) == expected, params
        kept.add(expected)
    assert kept == {True, False}


def validator_of(schema) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def keywords(node, names=False):
    """Yield every keyword of a schema."""
    if isinstance(node, list):
        for part in node:
            yield from keywords(part)
    elif isinstance(node, dict):
        for key, value in node.items():
            if not names:
                yield key
            if key in ("default", "enum", "const", "examples", "required") or key[:2] == "x-":
                continue
            maps = ("properties", "$defs", "patternProperties", "dependentSchemas")
            yield from keywords(value, names=not names and key in maps)


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda path: path.name)
def test_public_schema_of_a_bundled_workflow_has_only_known_keywords(folder):
    found = set(keywords(public_schema(params_schema(folder))))
    own = {key for key in found if key.startswith("x-")}
    assert found - own - KEYWORDS == {"$schema"}
    assert {"x-format", "x-name-pattern", "x-contents"} <= own


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda path: path.name)
def test_public_schema_of_a_bundled_workflow_describes_each_field_once(folder):
    schema = params_schema(folder)
    names = [name for group in schema["allOf"] for name in group["properties"]]
    found: list[str] = []

    def visit(node):
        for value in node.values() if isinstance(node, dict) else node:
            if isinstance(value, dict | list):
                visit(value)
        if isinstance(node, dict) and isinstance(node.get("properties"), dict):
            found.extend(node["properties"])

    visit(public_schema(schema))
    for name in names:
        assert found.count(name) == 1, name


def test_public_schema_points_to_the_rows_of_a_table():
    schema = public_schema(params_schema(HERE / "workflows" / "reads-qc"))
    (samples,) = (
        g["properties"]["samples"] for g in schema["allOf"] if "samples" in g["properties"]
    )
    assert samples["x-rows"] == "#/$defs/samples_rows"
    row = schema["$defs"]["samples_rows"]
    assert row["required"] == ["sample", "fastq_1"]
    assert row["properties"]["fastq_1"]["x-format"] == "file-path"
    assert row["x-mates"] == ["fastq_1", "fastq_2"]
    validator = validator_of(schema)
    assert validator.is_valid({"samples": [{"sample": "a", "fastq_1": "a.fastq", "fastq_2": ""}]})
    assert not validator.is_valid({"samples": [{"sample": "a", "fastq_1": ""}]})
    assert not validator.is_valid({"samples": [{"sample": "a", "fastq_1": FILE, "other": 1}]})


def test_public_schema_keeps_definitions_that_refer_to_themselves():
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/node"}, "own": {"unit": "s"}},
    }
    schema = {"$defs": {"node": node, "unused": {}}, "properties": {"first": node}}
    public = public_schema(schema)
    assert set(public["$defs"]) == {"node"}
    assert public["$defs"]["node"]["properties"]["own"] == {"x-unit": "s"}
    assert validator_of(public).is_valid({"first": {"next": {"next": {}}}})


@pytest.mark.parametrize(
    "pattern",
    [r"\.(fa|fasta)(\.b?gz)?$", r"^[A-Za-z0-9._-]{1,64}$", r"^(?:a|b)+?\d{2,}$", r"[\w\-]", "日?"],
)
def test_portable_pattern_is_recognized(pattern):
    assert is_portable(pattern)


@pytest.mark.parametrize(
    "pattern", [r"(?i)x", r"(?P<a>x)", r"\Ax\Z", r"a\-b", r"x{,3}", r"\_", r"x++", r"[\_]", "a{b"]
)
def test_pattern_that_only_python_reads_is_recognized(pattern):
    assert not is_portable(pattern)


def test_public_schema_of_a_folder_without_parameters_accepts_only_nothing():
    validator = validator_of(public_schema({"type": "object", "properties": {}}))
    assert validator.is_valid({})
    assert not validator.is_valid({"x": 1})
