"""Workflows as their authors publish them, one for each way in which they differ from the bundled.

Each reads its configuration as Snakemake does, and says in its results what it has read.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
import yaml

from services.access.actors import local_actor
from services.errors import Invalid
from services.models import RunRequest, State
from tests.helpers.desk import Desk

ME = local_actor()
REPOSITORIES = Path(__file__).parents[2] / "data" / "repositories"


@pytest.fixture(scope="module")
def repositories(module_desk: Desk) -> Desk:
    shutil.copytree(REPOSITORIES, module_desk.settings.catalogue, dirs_exist_ok=True)
    return module_desk


def completed(desk: Desk, workflow: str, **params: object) -> str:
    """Run a workflow; return the id of its run."""
    run = desk.finished(desk.submit(workflow, **params))
    assert (run.state, run.error) == (State.COMPLETE, None)
    return run.id


@pytest.mark.parametrize(
    ("workflow", "params", "said"),
    [
        ("default-order", {}, "5"),
        ("config-values-lost", {}, "activate: True, quality: 25}, species: homo_sapiens"),
        ("config-values-lost", {"trimming": {"quality": 30}}, "activate: True, quality: 30"),
        ("configfile-by-flag", {}, "3"),
        ("configfile-by-flag", {"threshold": 4}, "4"),
        ("configfile-elsewhere", {"threshold": 4}, "4"),
        ("schema-elsewhere", {}, "3"),
        ("empty-text-needed", {}, "extra=[]"),
        ("keys-beyond-schema", {"background": 8}, "3 8"),
        ("config-unlike-schema", {}, "110"),
        ("schema-not-strict", {}, "lexogen"),
        ("default-profile", {}, "2 1 123"),
        ("default-profile", {"b": 3}, "3 1 123"),
        ("beside-the-workflow", {}, "2"),
        ("unset-values", {}, "either tool"),
        ("dropped-folder", {}, "kept"),
        (
            "inferred-types",
            {"alpha": 0.05, "limit": 5},
            "alpha:float limit:int window:list rows:list evalue:str",
        ),
    ],
)
def test_run_reads_the_configuration_of_its_workflow_with_its_parameters(
    repositories, workflow, params, said
):
    run_id = completed(repositories, workflow, **params)
    path = repositories.results(run_id)[0]
    assert said in (repositories.folder(run_id) / path).read_text()


@pytest.mark.parametrize(
    ("workflow", "params", "results"),
    [
        ("mapping-cannot-shrink", {}, {"results/example_contrast.txt"}),
        (
            "mapping-cannot-shrink",
            {"contrasts": {"mine": {"of": "a", "to": "b"}}},
            {"results/mine.txt"},
        ),
        ("yaml-only-types", {}, {"results/int-1.txt", "results/int-2.txt"}),
        (
            "yaml-only-types",
            {"lanes": {"1": "first", "3": "third"}},
            {"results/int-1.txt", "results/int-3.txt"},
        ),
        ("mixed-outputs", {}, {"results/a.txt", "qc/report.html", "plots/p.svg"}),
        ("workdir", {}, {"results/a.txt"}),
    ],
)
def test_run_has_the_results_that_its_configuration_asks_for(
    repositories, workflow, params, results
):
    assert set(repositories.results(completed(repositories, workflow, **params))) == results


def test_run_keeps_comments_and_types_in_its_own_configuration_file(repositories):
    run_id = completed(repositories, "yaml-only-types", lanes={"2": "other"})
    own = REPOSITORIES / "yaml-only-types" / "config/config.yaml"
    text = (repositories.folder(run_id) / "config/config.yaml").read_text()
    assert yaml.safe_load(text) == yaml.safe_load(own.read_text()) | {"lanes": {2: "other"}}
    assert not (repositories.folder(run_id) / "config.json").exists()


def test_run_sees_the_files_of_the_repository_and_cannot_change_them(repositories):
    run_id = completed(repositories, "beside-the-workflow")
    folder = repositories.folder(run_id)
    assert (folder / "VERSION").is_symlink()
    assert (folder / "resources").is_dir()
    assert not (folder / "resources").is_symlink()
    assert not (folder / "config/config.yaml").is_symlink()


@pytest.mark.parametrize("attempt", ["made", "taken from the cache"])
def test_run_whose_result_is_shared_between_runs_has_it(repositories, attempt):
    run_id = completed(repositories, "cached-results")
    assert repositories.results(run_id) == ["results/a.txt"]
    path = repositories.folder(run_id) / "results/a.txt"
    assert (path.read_text(), path.is_symlink()) == ("x\n", False)


def test_run_with_outputs_outside_of_its_folder_is_refused_before_it_starts(repositories, tmp_path):
    outside = tmp_path / "outside"
    request = RunRequest(workflow="absolute-results", params={"outdir": str(outside)})
    words = f"The output {outside}/a.txt of rule one is outside of the run directory."
    assert words in repositories.services.previews.preview(ME, request).problems[0]
    run = repositories.finished(repositories.submit("absolute-results", outdir=str(outside)))
    assert run.state is State.EXECUTOR_ERROR
    assert run.cause is not None
    assert words in run.cause.message
    assert repositories.jobs(run.id) == []
    assert not outside.exists()


def test_run_with_a_file_of_the_config_folder_replaced_reads_the_new_one(repositories):
    text = io.BytesIO(b"threshold: 9\nmore: true\n")
    file = repositories.services.files.register(ME, "mine.yaml", text)
    request = RunRequest(
        workflow="configfile-elsewhere",
        config_file=file.id,
        replacements={"config/extra.yaml": file.id},
    )
    with pytest.raises(Invalid) as caught:
        repositories.services.runs.submit(ME, request)
    assert [problem.field for problem in caught.value.problems] == ["config_file.more"]
    request = request.model_copy(update={"complete": True})
    run = repositories.finished(repositories.services.runs.submit(ME, request).id)
    assert (run.state, run.params) == (State.COMPLETE, {"threshold": 9, "more": True})
    folder = repositories.folder(run.id)
    assert (folder / "results/t.txt").read_text() == "9\n"
    assert (folder / "config/extra.yaml").read_bytes() == text.getvalue()
    assert yaml.safe_load((folder / "config/analysis.yaml").read_text()) == run.params


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("config/../workflow/Snakefile", "wrong_format"),
        ("workflow/Snakefile", "wrong_format"),
        ("config/", "wrong_format"),
        ("/config/x", "wrong_format"),
        ("config/analysis.yaml", "not_allowed"),
        ("config/x.yaml", "not_found"),
    ],
)
def test_replacement_of_another_file_is_refused(repositories, path, code):
    request = RunRequest(workflow="configfile-elsewhere", params={}, replacements={path: "0" * 24})
    with pytest.raises(Invalid) as caught:
        repositories.services.runs.submit(ME, request)
    assert [(problem.field, problem.code) for problem in caught.value.problems] == [
        (f"replacements.{path}", code)
    ]


def test_run_again_has_the_same_configuration(repositories):
    request = RunRequest(
        workflow="keys-beyond-schema",
        complete=True,
        params={
            "samples": ["C"],
            "params": {"threshold": 1},
            "background": 2,
            "new": None,
        },
    )
    first = repositories.services.runs.submit(ME, request)
    again = repositories.services.runs.resubmit(ME, first.id)
    assert (again.params, again.complete) == (first.params, True)
    assert repositories.results(repositories.finished(again.id).id) == ["results/C.txt"]
