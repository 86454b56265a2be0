"""Reading configuration files as Snakemake does, and writing values back into them."""

from __future__ import annotations

import datetime

import pytest
import yaml

from services.catalogue import config_files
from services.catalogue.config_files import as_json, comments, parsed, with_values, written

TEXT = """\
# All of it is explained in config/README.md.

# Path of the table
samples: config/samples.tsv  # tab-separated
# ---- reference ----
ref:
  # as in Ensembl
  species: homo_sapiens
  # release: 100
  release: 110   # the newest
lanes:
  1: first
  2: 'second'
freeze: 2024-05-01
evalue: 1.0e-10
extra: ""
none:
list:
  - a
  - b
"""


def changed(**values):
    """The text after a change of parameters, and the values that Snakemake then reads."""
    original = parsed(TEXT)
    text = written(TEXT, with_values(original, {**as_json(original), **values}))
    return text, parsed(text)


def test_written_with_the_same_parameters_is_the_same_text():
    assert changed()[0] == TEXT


def test_written_keeps_comments_order_and_types_of_all_other_values():
    text, values = changed(extra="fast")
    assert text == TEXT.replace('extra: ""', 'extra: "fast"')
    assert values == {**parsed(TEXT), "extra": "fast"}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("yes", "yes"),
        ("1e-5", "1e-5"),
        ("2024-01-01", "2024-01-01"),
        ("a: b # c", "a: b # c"),
        ("two\nlines\n", "two\nlines\n"),
        ("", ""),
        (None, None),
        (1e-05, 1e-05),
        (1e300, 1e300),
        (True, True),
        ([{"a": 1}, {"a": "on"}], [{"a": 1}, {"a": "on"}]),
        ({"x": {"y": []}}, {"x": {"y": []}}),
    ],
)
def test_written_value_is_read_by_snakemake_as_it_was_sent(value, read):
    result = changed(extra=value)[1]["extra"]
    assert (result, type(result)) == (read, type(read))


def test_with_values_keeps_integer_keys_and_dates():
    values = changed(lanes={"2": "second", "3": "third"}, freeze="2025-01-02")[1]
    assert values["lanes"] == {2: "second", 3: "third"}
    assert values["freeze"] == datetime.date(2025, 1, 2)


def test_with_values_keeps_the_type_of_an_equal_number():
    assert type(with_values({"x": 1.0}, {"x": 1})["x"]) is float
    assert with_values({"x": 1}, {"x": True}) == {"x": True}
    assert type(with_values({"x": 1}, {"x": True})["x"]) is bool


def test_written_removes_keys_that_are_not_sent():
    original = parsed(TEXT)
    params = {key: value for key, value in as_json(original).items() if key != "ref"}
    assert "species" not in written(TEXT, with_values(original, params))


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1}\nc: *x\n",
        "base: &b {x: 1, y: 2}\nc:\n  <<: *b\n  x: 3\n",
        "yes: 1\nno: 2\n",
        "a: 1\na: 2\n",
        "{a: 1, b: [1, 2]}",
        '{"a": 1}',
        "",
    ],
)
def test_written_text_of_any_style_has_the_values(text):
    original = parsed(text) or {}
    params = {**as_json(original), "a": {"b": 7}, "new": "on"}
    values = with_values(original, params)
    assert parsed(written(text, values)) == values


def test_written_json_stays_json():
    assert written('{"a": 1}', {"a": 2, "b": None}) == '{\n  "a": 2,\n  "b": null\n}\n'


def test_comments_are_those_above_and_behind_a_key():
    assert comments(TEXT) == {
        ("samples",): "Path of the table tab-separated",
        ("ref",): "reference",
        ("ref", "species"): "as in Ensembl",
        ("ref", "release"): "the newest",
    }


def test_as_json_has_text_for_what_json_lacks():
    values = yaml.safe_load("{2: a, true: b, null: c, d: 2024-05-01, f: .nan, l: !!set {x}}")
    assert as_json(values) == {
        "2": "a",
        "true": "b",
        "null": "c",
        "d": "2024-05-01",
        "f": "nan",
        "l": ["x"],
    }


def test_restricted_has_the_keys_of_a_shape():
    assert config_files.restricted({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 0}}) == {
        "a": {"b": 1}
    }
