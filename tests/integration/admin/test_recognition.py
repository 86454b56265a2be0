"""Tables, files, folders and test data of workflows that were written for Snakemake alone.

The workflows in `additions` have neither a manifest nor the keywords of Rundesk in their schemas.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import cli
from services.access.actors import local_actor
from services.errors import Invalid
from services.models import RunRequest, State
from tests.helpers.desk import environment

ME = local_actor()
HERE = Path(__file__).parents[1] / "additions"
READS = b"@r1\nACGT\n+\nIIII\n"


@pytest.fixture(scope="module")
def desk(module_desk):
    return module_desk


def add(desk, name: str, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """Add a workflow; return the fields of its form and the remarks about it."""
    added, remarks = desk.services.additions.add(ME, str(HERE / name), name=name, **options)
    return added.workflow.params_schema["properties"], [str(text) for text in remarks]


def upload(desk, name: str, content: bytes = READS) -> str:
    return str(desk.services.files.register(ME, name, io.BytesIO(content)).id)


def refused(desk, name: str) -> str:
    with pytest.raises(Invalid) as caught:
        desk.services.additions.add(ME, str(HERE / name), name=name)
    (problem,) = caught.value.problems
    return problem.message


@pytest.fixture(scope="module")
def by_path(desk):
    return add(desk, "sheet-by-path")


def test_add_table_named_by_path_is_a_sheet_with_file_columns(by_path):
    fields, _ = by_path
    sheet = fields["samples"]
    assert (sheet["recognised"], sheet["suffix"]) == ("planned", ".tsv")
    columns = sheet["rows"]["properties"]
    files = [name for name, column in columns.items() if column.get("format") == "file-path"]
    assert files == ["fq1", "fq2"]
    assert list(columns) == ["sample", "group", "fq1", "fq2"]
    assert sheet["rows"]["required"] == ["sample", "fq1"]


def test_submit_rows_of_a_recognised_sheet_run_with_staged_files(desk, by_path):
    rows = [{"sample": "S", "fq1": upload(desk, "s_1.fastq"), "fq2": upload(desk, "s_2.fastq")}]
    run = desk.finished(desk.submit("sheet-by-path", samples=rows))
    assert (run.state, run.error) == (State.COMPLETE, None)
    assert (desk.folder(run.id) / "results/S.count").read_text().strip() == "8"
    table = (desk.folder(run.id) / "inputs/samples.tsv").read_text().splitlines()
    assert table[0].split("\t") == ["sample", "group", "fq1", "fq2"]
    assert table[1].split("\t")[2:] == [
        "inputs/samples/fq1/s_1.fastq",
        "inputs/samples/fq2/s_2.fastq",
    ]


def test_example_of_test_data_plans_and_runs_its_own_files(desk, by_path):
    _, remarks = by_path
    assert "The example of the workflow is its test data in .test: 2 jobs." in remarks
    workflow = desk.services.workflows.get(ME, "sheet-by-path")
    assert workflow.example is not None
    assert (workflow.example.base, workflow.example.params) == (
        ".test",
        {"samples": "config/samples.tsv"},
    )
    request = RunRequest(workflow="sheet-by-path", example=True)
    preview = desk.services.previews.preview(ME, request)
    assert {rule.rule: rule.jobs for rule in preview.rules} == {"all": 1, "count": 1}
    run = desk.finished(desk.services.runs.submit(ME, request).id)
    assert (run.state, run.inputs) == (State.COMPLETE, [])
    assert (desk.folder(run.id) / "results/A.count").read_text().strip() == "16"


def test_secret_of_a_workflow_is_only_in_its_runs(desk, monkeypatch):
    _, remarks = add(desk, "needs-environment")
    assert remarks[0].startswith("The workflow needs the environment variable LICENSE_SERVER")
    assert not desk.services.workflows.get(ME, "needs-environment").available
    for name, value in environment(desk.settings).items():
        monkeypatch.setenv(name, value)
    words = ["workflows", "secret", "needs-environment", "LICENSE_SERVER"]
    done = CliRunner().invoke(cli.main, words, input="5280@license\n")
    assert done.output == "Set LICENSE_SERVER for needs-environment.\n"
    (path,) = (desk.settings.data / "secrets").glob("*")
    assert path.stat().st_mode & 0o077 == 0
    workflow = desk.services.workflows.get(ME, "needs-environment")
    assert workflow.available
    assert "5280" not in workflow.model_dump_json()
    run = desk.finished(desk.submit("needs-environment"))
    assert (desk.folder(run.id) / "results/a.txt").read_text() == "5280@license\n"
    assert "5280" not in desk.run(run.id).model_dump_json()
    desk.services.additions.remove(ME, "needs-environment")
    assert not path.exists()


@pytest.mark.long
def test_add_two_tables_without_a_schema_of_the_configuration_are_two_sheets(desk):
    fields, _ = add(desk, "two-sheets")
    assert all(fields[name]["rows"]["properties"] for name in ("samples", "units"))
    assert fields["units"]["rows"]["properties"]["fq1"]["format"] == "file-path"


@pytest.mark.long
def test_submit_nested_file_and_folder_of_files_are_staged(desk):
    fields, remarks = add(desk, "nested-file")
    assert fields["reference"]["properties"]["fasta"]["format"] == "file-path"
    assert any("/path/to/genome.fa" in text for text in remarks)
    genome = upload(desk, "genome.fa", b">a\nACGT\n")
    run = desk.finished(desk.submit("nested-file", reference={"fasta": genome}))
    assert (desk.folder(run.id) / "results/length.txt").read_text().strip() == "4"
    fields, remarks = add(desk, "input-folder")
    assert fields["input_dir"]["format"] == "directory-path"
    assert any(text.startswith("The workflow needs reads from its users") for text in remarks)
    files = [upload(desk, "a.fastq"), upload(desk, "b.fastq")]
    run = desk.finished(desk.submit("input-folder", input_dir=files))
    counts = sorted(path.name for path in (desk.folder(run.id) / "results").iterdir())
    assert counts == ["a.count", "b.count"]


@pytest.mark.long
def test_add_samples_of_a_pep_are_a_sheet(desk):
    fields, _ = add(desk, "pep")
    assert fields["pepfile"]["rows"]["properties"]["fq1"]["format"] == "file-path"
    rows = [{"sample_name": "B", "fq1": upload(desk, "b.fastq")}]
    run = desk.finished(desk.submit("pep", pepfile=rows))
    assert (run.state, run.error) == (State.COMPLETE, None)
    assert (desk.folder(run.id) / "results/B.txt").read_text() == "B\n"


@pytest.mark.long
def test_add_table_that_is_not_shipped_is_a_remark(desk):
    fields, remarks = add(desk, "sheet-not-shipped")
    assert fields["samples"]["format"] == "file-path"
    assert remarks[0].startswith("The workflow needs config/samples.tsv from its users")


@pytest.mark.long
def test_add_unreadable_workflow_is_refused_by_kind_with_file_and_line(desk):
    assert refused(desk, "never-executed") == (
        "The Snakefile fails while Snakemake reads it: workflow/Snakefile, line 3:"
        " NameError: name 'undefined_name' is not defined"
    )
    assert refused(desk, "remote-module").startswith(
        "The workflow uses code of other repositories, which could not be fetched"
        " (github: an-owner/a-workflow): workflow/Snakefile, line "
    )


@pytest.mark.long
def test_add_missing_package_and_wrapper_are_named(desk):
    _, remarks = add(desk, "python-package")
    assert remarks[0] == (
        "The workflow imports the Python package a_package_that_this_host_lacks, which is not"
        " installed on this server: workflow/Snakefile, line 1."
    )
    assert not desk.services.workflows.get(ME, "python-package").available
    _, remarks = add(desk, "remote-wrapper")
    assert remarks[0].startswith("Snakemake fetches the wrapper v5.8.3/bio/bgzip from ")


@pytest.mark.long
def test_add_with_an_overlay_corrects_what_was_recognised(desk, tmp_path):
    folder = tmp_path / "corrected"
    shutil.copytree(HERE / "sheet-by-path", folder)
    overlay = "title: Counts\nsheets:\n  samples: {files: [fq1]}\n"
    added, _ = desk.services.additions.add(ME, str(folder), overlay=overlay)
    assert added.workflow.title == "Counts"
    sheet = added.workflow.params_schema["properties"]["samples"]
    assert sheet["recognised"] == "overlay"
    assert "format" not in sheet["rows"]["properties"]["fq2"]
    again, _ = desk.services.additions.add(ME, str(folder), replacing=True)
    assert again.workflow.title == "Counts"
    exported = desk.services.additions.manifest(ME, "corrected")
    assert "files:\n    - fq1\n" in exported
    with pytest.raises(Invalid) as caught:
        desk.services.additions.add(ME, str(folder), name="other", overlay="sheet: {}\n")
    assert caught.value.problems[0].message.startswith("overlay.yaml is invalid at sheet: ")
