"""The configuration of a workflow, found in the text of its Snakefiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.catalogue.configuration import Broken, configuration_of, profile_of


def put(folder: Path, **files: str) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("snakefile", "path"),
    [
        ('configfile: "config/own.yaml"\n', "config/own.yaml"),
        ("configfile:\n    'config/own.yaml'\n", "config/own.yaml"),
        ('configfile: os.path.join("config", "own.yaml")\n', "config/own.yaml"),
        ('PATH = "config/own.yaml"\nconfigfile: PATH\n', "config/own.yaml"),
        ('if not config:\n    configfile: "config/own.yaml"  # unless given\n', "config/own.yaml"),
        ('include: "rules/common.smk"\n', "config/own.yaml"),
        ('# configfile: "config/other.yaml"\n', "config/own.yaml"),
        ("rule all:\n    input: []\n", "config/own.yaml"),
    ],
)
def test_configuration_is_the_file_that_the_snakefile_names(tmp_path, snakefile, path):
    files = {
        "workflow/Snakefile": snakefile,
        "workflow/rules/common.smk": 'configfile: "config/own.yaml"\n',
        "config/own.yaml": "a: 1\n",
    }
    found = configuration_of(put(tmp_path, **files))
    assert [file.path for file in found.files] == [path]
    assert found.values == {"a": 1}


def test_configuration_of_several_files_is_merged_and_written_back_to_each(tmp_path):
    files = {
        "workflow/Snakefile": 'configfile: "config/a.yaml"\nconfigfile: "config/b.yaml"\n',
        "config/a.yaml": "x: 1\nboth: {p: 1, q: 1}\n",
        "config/b.yaml": "both: {q: 2}\n",
    }
    found = configuration_of(put(tmp_path, **files))
    assert found.params == {"x": 1, "both": {"p": 1, "q": 2}}
    texts = found.texts({"x": 5, "both": {"q": 3, "r": 4}, "new": True})
    put(tmp_path, **texts)
    assert configuration_of(tmp_path).params == {"x": 5, "both": {"q": 3, "r": 4}, "new": True}


def test_configuration_beside_the_snakefile_is_found_by_its_folder(tmp_path):
    line = 'configfile: os.path.join(workflow.basedir, "..", "config", "c.yaml")\n'
    found = configuration_of(put(tmp_path, **{"workflow/Snakefile": line, "config/c.yaml": "a: 1"}))
    assert (found.params, found.beside_snakefile) == ({"a": 1}, True)


def test_configuration_that_users_write_begins_with_its_sample(tmp_path):
    files = {"workflow/Snakefile": 'configfile: "config.yaml"\n', "config/config.yaml": "a: 1\n"}
    found = configuration_of(put(tmp_path, **files))
    assert ([file.path for file in found.files], found.params) == (["config.yaml"], {"a": 1})


def test_configuration_has_the_values_of_the_profile(tmp_path):
    files = {
        "workflow/Snakefile": 'configfile: "config/config.yaml"\n',
        "config/config.yaml": "a: 1\nb: 1\n",
        "workflow/profiles/default/config.yaml": "config: [b=2]\ncores: 99\n",
    }
    folder = put(tmp_path, **files)
    assert configuration_of(folder).params == {"a": 1, "b": 2}
    assert profile_of(folder)["cores"] == 99


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ('validate(config, schema="../config/s/c.yaml")', "config/s/c.yaml"),
        ('validate(config, os.path.join("..", "config", "s", "c.yaml"))', "config/s/c.yaml"),
        ("", "workflow/schemas/config.schema.yaml"),
    ],
)
def test_configuration_names_the_schema_that_it_is_validated_with(tmp_path, call, path):
    files = {
        "workflow/Snakefile": call + "\n",
        "config/s/c.yaml": "type: object\n",
        "workflow/schemas/config.schema.yaml": "type: object\n",
    }
    assert configuration_of(put(tmp_path, **files)).schema == path


@pytest.mark.parametrize("path", ["../outside.yaml", "/etc/outside.yaml"])
def test_configuration_outside_of_the_workflow_is_not_read(tmp_path, path):
    folder = put(tmp_path / "x", **{"workflow/Snakefile": f'configfile: "{path}"\n'})
    put(tmp_path, **{"outside.yaml": "a: 1\n"})
    assert configuration_of(folder).params == {}


@pytest.mark.parametrize("text", ["a: b: c", "- 1", "{"])
def test_configuration_that_is_no_mapping_is_broken(tmp_path, text):
    files = {"workflow/Snakefile": "", "config/config.yaml": text}
    with pytest.raises(Broken, match=r"config\.yaml"):
        configuration_of(put(tmp_path, **files))
