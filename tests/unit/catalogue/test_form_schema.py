"""The form: the configuration of a workflow under its schema under what is inferred."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from services.catalogue import config_files
from services.catalogue.configuration import ConfigFile, Configuration, configuration_of
from services.catalogue.form_schema import form_schema
from services.catalogue.layout import form
from services.params import validation
from services.params.schema import flatten, groups

REPOSITORIES = Path(__file__).parents[2] / "data" / "repositories"
BUNDLED = Path(__file__).parents[3] / "workflows"


def made(config: str, schema: str = "{}"):
    values = yaml.safe_load(config)
    file = ConfigFile("config/config.yaml", config, values)
    return form_schema(yaml.safe_load(schema), Configuration((file,), values), [])


@pytest.mark.parametrize("folder", sorted(REPOSITORIES.iterdir()), ids=lambda path: path.name)
def test_form_untouched_is_the_configuration_of_the_workflow(folder):
    expected = configuration_of(folder).params
    assert config_files.same(validation.check(form(folder).schema, {}), expected)


@pytest.mark.parametrize(
    ("config", "schema"),
    [
        ("a: 5", "properties: {a: {default: 1}}"),
        ("a: {b: 1, c: null}", "properties: {a: {type: object, properties: {b: {default: 2}}}}"),
        ("a: text", "properties: {a: {type: integer}}"),
        ("a: null", "properties: {a: {type: object, properties: {b: {default: 2}}}}"),
        ("a: 1", "properties: {b: {type: object, properties: {c: {default: 2}}}}"),
        ("a: [{b: 1, c: 2}]", "properties: {a: {items: {properties: {b: {}}}}}"),
        ("a: {x: {b: 1, c: ''}}", "properties: {a: {type: object, additionalProperties: {}}}"),
        ("a: 1", "allOf: [{title: G, properties: {b: {type: integer, default: 3}}}]"),
        ("a: {}", "{}"),
        ("a: [1, x, true, null]", "{}"),
        ("a: [[1], [2]]", "{}"),
    ],
)
def test_form_untouched_keeps_values_of_every_kind(config, schema):
    expected = yaml.safe_load(config)
    if "default: 3" in schema:
        expected["b"] = 3  # Snakemake fills it in, too
    assert validation.check(made(config, schema), {}) == expected


def test_form_lists_keys_beyond_a_grouped_schema_in_a_group_of_their_own():
    schema = "allOf: [{title: Reads, properties: {a: {type: integer}}}]"
    titles = [(group.title, [*group.fields]) for group in groups(made("a: 1\nb: 2", schema))]
    assert titles == [("Reads", ["a"]), ("Other settings", ["b"])]


def test_form_has_comments_as_help_where_the_schema_has_none():
    config = "# said above\na: 1\nb: 2  # said behind\n"
    fields = made(config, "properties: {a: {description: Own words.}}")["properties"]
    assert fields["a"]["description"] == "Own words."
    assert fields["b"]["description"] == "said behind"


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("m: {a: {x: 1}, b: {x: 2}}", True),
        ("m: {1: x, 2: y}", True),
        ("m: {a: {x: 1}, b: 2}", False),
        ("m: {a: 1, b: 2}", False),
    ],
)
def test_form_infers_mappings_whose_keys_are_names(config, named):
    field = made(config)["properties"]["m"]
    assert ("properties" not in field) == named


def test_form_of_a_named_mapping_replaces_its_entries_as_a_whole():
    schema = "properties: {m: {type: object, additionalProperties: {properties: {x: {}}}}}"
    assert validation.check(made("m: {a: {x: 1}}", schema), {"m": {"b": {"x": 2}}}) == {
        "m": {"b": {"x": 2}}
    }


@pytest.mark.parametrize("folder", sorted(BUNDLED.iterdir()), ids=lambda path: path.name)
def test_form_of_a_bundled_workflow_asks_for_its_files(folder):
    if not (folder / "workflow").is_dir():
        pytest.skip("no workflow")
    fields = flatten(form(folder).schema)
    for name in fields["required"]:
        assert "default" not in fields["properties"][name]
