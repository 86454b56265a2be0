"""Software that workflows declare, and how this installation provides it."""

from __future__ import annotations

from pathlib import Path

import pytest
import snakemake.cli

from services import doctor
from services.access.actors import local_actor
from services.bootstrap import build
from services.catalogue import Catalogue, deployment
from services.engine import execution
from services.errors import Misconfigured
from services.models import Run, State
from services.settings import Settings
from tests.helpers.runs import NOW

RULE = 'rule all:\n    conda: "envs/x.yaml"\n    container: "docker://x"\n    shell: "x"\n'
MANIFEST = "needs: {executables: [rundesk-no-such-program]}\n"
ENVIRONMENT = "dependencies: [bioconda::rundesk-no-such-program=1.2, python, sh]\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "workflows" / "x"
    for path, text in {
        "workflow/Snakefile": 'include: "rules/x.smk"\n',
        "workflow/rules/x.smk": RULE,
        "workflow/envs/x.yaml": ENVIRONMENT,
        "rundesk.yaml": MANIFEST,
    }.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(text)
    return made


def settings(tmp_path, *methods: str) -> Settings:
    return Settings(data=tmp_path / "data", workflows=(tmp_path / "workflows",), software=methods)


@pytest.fixture
def conda(tmp_path, monkeypatch):
    """A host with a program of that name."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/conda").write_text("#!/bin/sh\n")
    (tmp_path / "bin/conda").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")


def test_declared_reads_rules_wherever_they_are(folder):
    assert deployment.declared_methods(folder) == {"conda", "apptainer"}
    (folder / "workflow/rules/x.smk").write_text('rule all:\n    shell: "conda: none"\n')
    assert deployment.declared_methods(folder) == set()


def test_unmet_requirements_names_disabled_methods_and_missing_programs(folder):
    (text,) = deployment.unmet_requirements(folder, ())
    assert text.code == "unmet_requirement"
    assert str(text) == (
        "The workflow declares software for apptainer and conda, which RUNDESK_SOFTWARE does not"
        " enable: the programs of this server are used instead, and none of them is named"
        " rundesk-no-such-program."
    )


def test_unmet_requirements_names_an_enabled_method_that_is_not_installed(folder, monkeypatch):
    monkeypatch.setenv("PATH", "")
    (text,) = deployment.unmet_requirements(folder, ("conda",))
    assert text.code == "unmet_requirement"
    assert str(text) == "RUNDESK_SOFTWARE names conda, which is not installed on this server."


def test_workflow_with_missing_programs_is_available_where_they_are_installed(
    folder, tmp_path, conda
):
    without = Catalogue(settings(tmp_path)).get(local_actor(), "x")
    assert not without.available
    assert "rundesk-no-such-program" in without.problems[0]
    assert Catalogue(settings(tmp_path, "conda")).get(local_actor(), "x").available


def test_workflow_whose_installer_is_missing_says_so(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    found = Catalogue(settings(tmp_path, "conda")).get(local_actor(), "x")
    assert not found.available
    assert found.problems == [
        "RUNDESK_SOFTWARE names conda, which is not installed on this server."
    ]


def order(made: Settings, digest: str) -> execution.Order:
    run = Run.model_construct(id="6" * 24, digest=digest, state=State.QUEUED, created=NOW)
    return execution.Order(made, run, 1, 2)


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ((), []),
        (("conda",), ["conda", "--conda-prefix", "software/conda"]),
        (
            ("conda", "apptainer"),
            [
                *("conda", "apptainer", "--conda-prefix", "software/conda"),
                *("--apptainer-prefix", "software/apptainer"),
            ],
        ),
    ],
)
def test_arguments_turn_on_what_is_declared_and_allowed(folder, tmp_path, methods, words):
    made = settings(tmp_path, *methods)
    catalogue = Catalogue(made)
    digest = catalogue.get(local_actor(), "x").digest
    catalogue.snapshot(catalogue.get(local_actor(), "x"))
    given = execution.arguments(order(made, digest))
    _, found, after = " ".join(given).partition("--software-deployment-method ")
    assert bool(found) is bool(words)
    assert after.replace(f"{made.data}/", "").split() == words
    _, read = snakemake.cli.parse_args([str(word) for word in given])
    assert {one.name.lower() for one in read.software_deployment_method} == set(methods)
    assert read.conda_prefix == (str(made.data / "software/conda") if methods else None)


def test_arguments_leave_out_what_a_workflow_does_not_declare(folder, tmp_path):
    (folder / "workflow/rules/x.smk").write_text('rule all:\n    shell: "true"\n')
    made = settings(tmp_path, "conda")
    catalogue = Catalogue(made)
    catalogue.snapshot(catalogue.get(local_actor(), "x"))
    digest = catalogue.get(local_actor(), "x").digest
    assert "conda" not in " ".join(execution.arguments(order(made, digest)))


def test_doctor_method_that_is_not_installed_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    services = build(settings(tmp_path, "apptainer"))
    finding = {one.subject: one for one in doctor.examine(services)}["Software"]
    services.close()
    assert (finding.good, finding.text.code) == (False, "unmet_requirement")
    assert finding.words == "RUNDESK_SOFTWARE names apptainer, which this host does not have."


def test_doctor_names_the_methods_that_install_software(tmp_path, conda):
    services = build(settings(tmp_path, "conda"))
    finding = {one.subject: one for one in doctor.examine(services)}["Software"]
    services.close()
    assert finding.good
    assert finding.words == "Snakemake installs the software of workflows with conda."


def test_setting_names_only_what_is_known():
    assert Settings.load({"RUNDESK_SOFTWARE": "conda, apptainer"}).software == (
        "conda",
        "apptainer",
    )
    with pytest.raises(Misconfigured):
        Settings.load({"RUNDESK_SOFTWARE": "brew"})
