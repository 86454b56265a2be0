"""The catalogue over folders made for the purpose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.access.actors import local_actor
from services.catalogue import Catalogue
from services.catalogue.form_schema import infer
from services.catalogue.layout import form, snapshot_folder
from services.errors import Conflict, NotFound
from services.params.schema import flatten
from services.settings import Settings

ACTOR = local_actor()
RULE = "rule all:\n    shell: 'true'\n"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "workflows"


@pytest.fixture
def catalogue(tmp_path, folder):
    folder.mkdir()
    return Catalogue(Settings(data=tmp_path / "data", workflows=(folder,)))


def put(folder: Path, name: str, **files: str) -> Path:
    for path, text in {"workflow/Snakefile": RULE, **files}.items():
        place = folder / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder / name


def test_get_without_manifest_everything_is_derived(catalogue, folder):
    put(folder, "count-words", **{"config/config.yaml": "top: 10\nwords: [a, b]\n"})
    found = catalogue.get(ACTOR, "count-words")
    assert (found.title, found.available, found.category) == ("Count words", True, "Other")
    assert found.params_schema["properties"]["top"] == {"type": "number", "default": 10}


def test_get_manifest_readme_and_schema_are_read(catalogue, folder):
    put(
        folder,
        "x",
        **{
            "rundesk.yaml": "title: Ex\nfiles: {reads: '[.]fq$'}\nexample: {params: {n: 2}}\n",
            "workflow/schemas/config.schema.yaml": "properties: {reads: {type: string}}\n",
            "config/README.md": "# Ex\n",
        },
    )
    found = catalogue.get(ACTOR, "x")
    assert found.title == "Ex"
    assert found.readme == "# Ex\n"
    assert found.example is not None
    assert found.example.params == {"n": 2}
    assert found.params_schema["properties"]["reads"] == {
        "type": "string",
        "format": "file-path",
        "pattern": "[.]fq$",
    }


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("rundesk.yaml", "title: [", "rundesk.yaml cannot be read"),
        ("rundesk.yaml", "titel: x", "rundesk.yaml is invalid at titel: "),
        ("rundesk.yaml", "- a\n- b\n", "rundesk.yaml must contain names and their values."),
        ("workflow/schemas/config.schema.yaml", "- 1", "config.schema.yaml must contain names"),
        ("config/config.yaml", "a: b: c", "config.yaml cannot be read"),
    ],
)
def test_list_shows_a_broken_workflow_with_its_problem_and_all_others(
    catalogue, folder, path, text, words
):
    put(folder, "good")
    put(folder, "bad", **{path: text})
    found = {workflow.name: workflow for workflow in catalogue.list(ACTOR)}
    assert found["good"].available
    assert not found["bad"].available
    assert words in found["bad"].problems[0]


def test_get_of_a_folder_without_snakefile_names_the_problem(catalogue, folder):
    (folder / "empty").mkdir()
    assert catalogue.get(ACTOR, "empty").problems == [
        "The workflow has neither workflow/Snakefile nor Snakefile."
    ]


def test_get_missing_needs_are_named(catalogue, folder):
    needs = "needs: {executables: [no-such-program], modules: [no_such_module]}\n"
    put(folder, "needy", **{"rundesk.yaml": needs})
    found = catalogue.get(ACTOR, "needy")
    assert not found.available
    assert "no-such-program" in found.problems[0]
    assert "no_such_module" in found.problems[1]


def test_get_unknown_raises_not_found(catalogue):
    with pytest.raises(NotFound):
        catalogue.get(ACTOR, "../bundled")


def test_digest_changes_with_the_files_and_not_with_the_example(catalogue, folder):
    home = put(folder, "x", **{"example/a.txt": "1", "rundesk.yaml": "title: X"})
    first = catalogue.get(ACTOR, "x").digest
    (home / "example/a.txt").write_text("2")
    assert catalogue.get(ACTOR, "x").digest == first
    (home / "workflow/Snakefile").write_text(RULE + "\n")
    assert catalogue.get(ACTOR, "x").digest != first


def test_snapshot_keeps_the_version_that_was_read(catalogue, folder):
    home = put(folder, "x")
    workflow = catalogue.get(ACTOR, "x")
    kept = catalogue.snapshot(workflow)
    (home / "workflow/Snakefile").write_text("changed")
    assert (kept / "workflow/Snakefile").read_text() == RULE
    assert catalogue.snapshot(workflow) == kept


def test_snapshot_of_files_that_changed_meanwhile_is_refused(catalogue, folder, tmp_path):
    home = put(folder, "x")
    workflow = catalogue.get(ACTOR, "x")
    (home / "workflow/Snakefile").write_text("changed")
    with pytest.raises(Conflict):
        catalogue.snapshot(workflow)
    assert not snapshot_folder(tmp_path / "data", workflow.digest).exists()


def test_infer_takes_the_values_of_a_configuration_as_defaults():
    schema = infer(
        {"n": 1, "x": 1.5, "on": True, "s": "t", "l": [1, 2], "o": {"k": "v"}, "e": None}
    )
    kinds = {name: field["type"] for name, field in schema["properties"].items()}
    assert kinds["n"] == "number"  # one value does not tell that it must be a whole number
    assert kinds["x"] == "number"
    assert kinds["on"] == "boolean"
    assert kinds["l"] == "array"
    assert kinds["o"] == "object"
    assert "null" in kinds["e"]
    assert schema["properties"]["o"]["properties"]["k"] == {"type": "string", "default": "v"}


def test_get_replaces_references_in_the_schema(catalogue, folder):
    schema = {
        "$defs": {
            "reads": {"type": "string", "format": "file-path"},
            "sample": {"type": "object", "properties": {"reads": {"$ref": "#/$defs/reads"}}},
            "group": {"properties": {"many": {"items": {"$ref": "#/$defs/sample"}}}},
        },
        "allOf": [{"$ref": "#/$defs/group"}],
    }
    put(folder, "x", **{"config/config.schema.json": json.dumps(schema)})
    found = flatten(catalogue.get(ACTOR, "x").params_schema)["properties"]
    assert found["many"]["items"]["properties"]["reads"] == schema["$defs"]["reads"]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("properties: {s: {items: {$ref: '#/$defs/none'}}}", "reference #/$defs/none in"),
        ("properties: {s: {items: {$ref: 'none.yaml#/x'}}}", "reference none.yaml#/x in"),
        ("properties: {s: {properties: {required: [a]}}}", "at properties.s.properties.required"),
        ("properties: {s: {type: str}}", "not a valid schema at properties.s.type"),
        ("type: 7", "not a valid schema at type"),
    ],
)
def test_form_slips_in_a_schema_are_ignored_with_a_remark(folder, schema, words):
    home = put(folder, "x", **{"config/config.schema.yaml": schema, "config/config.yaml": "s: []"})
    found = form(home)
    assert found.schema["properties"]["s"]["default"] == []
    (remark,) = found.remarks
    assert remark.code == "workflow_remark"
    assert words in str(remark)


def test_form_follows_references_to_other_files(folder):
    files = {
        "config/config.schema.yaml": "properties: {s: {$ref: 'parts.yaml#/$defs/s'}}",
        "config/parts.yaml": "$defs: {s: {type: integer, maximum: 9}}",
    }
    found = form(put(folder, "x", **files))
    assert found.schema["properties"]["s"] == {"type": "integer", "maximum": 9}
    assert found.remarks == ()


ROWS = "type: object\nproperties: {sample: {type: string}, reads: {format: file-path}}\n"


def test_get_schema_of_rows_is_read_into_the_parameter_it_is_named_at(catalogue, folder):
    put(
        folder,
        "x",
        **{
            "workflow/schemas/config.schema.yaml": "properties:\n"
            "  units: {type: string, format: file-path, schema: units.schema.yaml}\n"
            "  samples: {type: string, default: config/samples.tsv}\n",
            "workflow/schemas/units.schema.yaml": ROWS,
            "assets/rows.yaml": ROWS,
            "rundesk.yaml": "sheets: {samples: assets/rows.yaml}\n",
        },
    )
    found = catalogue.get(ACTOR, "x").params_schema["properties"]
    assert found["units"]["rows"] == found["samples"]["rows"]
    assert found["samples"]["format"] == "file-path"
    assert list(found["samples"]["rows"]["properties"]) == ["sample", "reads"]


@pytest.mark.parametrize(
    ("path", "rows", "words"),
    [
        ("rows.yaml", "type: object\n", "must define the columns"),
        (
            "rows.yaml",
            "properties: {a: {type: 7}}\n",
            "rows.yaml is not a valid schema at properties.a.type: ",
        ),
        ("none.yaml", ROWS, "is not in the workflow"),
        ("../../other/rows.yaml", ROWS, "is not in the workflow"),
    ],
)
def test_get_invalid_schema_of_rows_is_a_problem(catalogue, folder, path, rows, words):
    put(folder, "other", **{"rows.yaml": ROWS})
    field = f"properties: {{s: {{format: file-path, schema: {path}}}}}\n"
    put(folder, "x", **{"config/config.schema.yaml": field, "config/rows.yaml": rows})
    found = catalogue.get(ACTOR, "x")
    assert not found.available
    assert words in found.problems[0]
