"""Previews: the rules and their jobs, or why there is no plan."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace

import psutil
import pytest

from services.access.actors import local_actor
from services.bootstrap import build
from services.catalogue import Catalogue
from services.errors import Forbidden, Invalid
from services.models import Actor, RunFilter, RunRequest
from services.runs.previews import Previews
from tests.helpers.api import client_of, write_workflow
from tests.helpers.desk import WORKFLOWS

ANN = Actor(id="ann")
PLANNED = """
configfile: "config/config.yaml"
rule all:
    input: "results/sum.txt"
rule part:
    input: config["table"]
    output: "work/{n}.txt"
    shell: "cp {input:q} {output:q}"
rule sum:
    input: expand("work/{n}.txt", n=range(config["parts"]))
    output: "results/sum.txt"
    shell: "cat {input:q} > {output:q}"
"""
FILES = {
    "workflow/Snakefile": PLANNED,
    "config/config.yaml": "table: ''\nparts: 3\n",
    "rundesk.yaml": "files: {table: '\\.tsv$'}\nexample: {params: {table: example/t.tsv}}\n",
    "example/t.tsv": "a\n",
}


@pytest.fixture
def settings(settings, tmp_path):
    return replace(settings, workflows=(tmp_path / "workflows",))


@pytest.fixture
def workflow(settings):
    """Writes one more workflow into the catalogue."""

    def write(name, files=FILES, **changed):
        write_workflow(settings.workflows[0] / name, {**files, **changed})
        return name

    return write


def plan(services, workflow, **params):
    given = {"params": params} if params else {"example": True}
    return services.previews.preview(ANN, RunRequest(workflow=workflow, **given))


def left_behind(settings):
    return list((settings.data / "previews").glob("preview-*"))


def test_preview_counts_the_jobs_of_each_rule(services, settings, workflow):
    file = services.files.register(ANN, "mine.tsv", io.BytesIO(b"1\n"))
    found = plan(services, workflow("planned"), table=file.id, parts=5)
    assert {one.rule: one.jobs for one in found.rules} == {"all": 1, "part": 5, "sum": 1}
    assert (found.total, found.problems) == (7, [])
    assert set(found.links) == {("part", "sum"), ("sum", "all")}
    assert left_behind(settings) == []


def test_example_is_previewed_without_storing_anything(services, workflow):
    assert plan(services, workflow("planned")).total == 5
    assert services.files.list(ANN).items == []
    assert services.runs.list(ANN, RunFilter()).items == []


def test_preview_invalid_request_is_refused_as_on_submission(services, workflow):
    name = workflow("planned")
    for call in (services.previews.preview, services.previews.validate, services.runs.submit):
        with pytest.raises(Invalid) as refused:
            call(ANN, RunRequest(workflow=name, params={"table": "0" * 24, "part": 1}))
        assert [one.field for one in refused.value.problems] == ["params.part"]
        with pytest.raises(Invalid) as refused:
            call(ANN, RunRequest(workflow=name, params={"table": "0" * 24}))
        assert [one.field for one in refused.value.problems] == ["params.table"]
        with pytest.raises(Forbidden):
            call(ANN, RunRequest(workflow=name, example=True, priority=1))


def test_validate_fills_in_defaults(services, workflow):
    file = services.files.register(ANN, "mine.tsv", io.BytesIO(b"1\n"))
    request = RunRequest(workflow=workflow("planned"), params={"table": file.id})
    assert services.previews.validate(ANN, request).params == {"table": file.id, "parts": 3}


@pytest.mark.parametrize(
    ("snakefile", "words"),
    [
        ("rule all:\n    input: nothere['x']\n", "(workflow/Snakefile, line 2): NameError"),
        ("rule all:\n    input: 'results/none.txt'\n", "results/none.txt"),
        ("rule all\n    input: 1\n", "line "),
    ],
)
def test_preview_without_plan_has_a_sentence(services, workflow, snakefile, words):
    found = plan(services, workflow("wrong", **{"workflow/Snakefile": snakefile}))
    assert found.rules == []
    (problem,) = found.problems
    assert words in problem
    assert "\n" not in problem


def test_preview_endless_snakefile_is_killed_with_its_processes(settings, services, workflow):
    endless = "import subprocess\nsubprocess.run(['setsid', 'sleep', '48151'])\n"
    name = workflow("endless", **{"workflow/Snakefile": endless})
    short = Previews(settings, services.files, Catalogue(settings), patience=4.0)
    found = short.preview(ANN, RunRequest(workflow=name, example=True))
    assert found.problems == ["Snakemake did not finish planning within 4 seconds."]
    assert not [p for p in psutil.process_iter(["cmdline"]) if "48151" in (p.info["cmdline"] or ())]
    assert left_behind(settings) == []


def test_preview_snakefile_has_no_environment_of_rundesk(services, workflow, monkeypatch):
    monkeypatch.setenv("RUNDESK_REMOTE_USER_SECRET", "0123456789abcdef")
    spying = "import os\nassert 'RUNDESK_REMOTE_USER_SECRET' not in os.environ\n" + PLANNED
    assert plan(services, workflow("spying", **{"workflow/Snakefile": spying})).total == 5


def test_graph_of_a_workflow_is_planned_once_for_each_version(settings, services, workflow):
    name = workflow("planned")
    first = services.previews.graph(ANN, name)
    assert first.total == 5
    kept = settings.data / "previews" / f"{first.digest}.json"
    kept.write_text(first.model_copy(update={"total": 77}).model_dump_json())
    assert services.previews.graph(ANN, name).total == 77
    kept.write_text("{cut off")
    assert services.previews.graph(ANN, name) == first
    workflow("planned", **{"config/config.yaml": "table: ''\nparts: 4\n"})
    assert services.previews.graph(ANN, name).total == 6


def test_api_returns_what_the_services_return(services, workflow):
    name, client = workflow("planned"), client_of(services)
    file = services.files.register(local_actor(), "mine.tsv", io.BytesIO(b"1\n"))
    body = {"workflow": name, "params": {"table": file.id, "parts": 2}}
    planned = client.post("/api/v1/runs/preview", json=body).get_json()["data"]
    assert (planned["total"], planned["problems"]) == (4, [])
    assert {"rule": "part", "jobs": 2} in planned["rules"]
    checked = client.post("/api/v1/runs/validate", json=body).get_json()["data"]
    assert checked["params"] == body["params"]
    wrong = client.post("/api/v1/runs/preview", json={**body, "params": {"parts": "x"}})
    assert wrong.status_code == 400
    assert [one["field"] for one in wrong.get_json()["data"]["problems"]] == ["params.parts"]
    graph = client.get(f"/api/v1/workflows/{name}/graph").get_json()["data"]
    assert graph["total"] == 5
    assert client.get("/api/v1/workflows/none/graph").status_code == 404


def test_graph_workflow_without_example_uses_its_defaults(settings, workflow):
    shutil.copytree(WORKFLOWS / "pair", settings.workflows[0] / "pair")
    services = build(settings)
    try:
        assert services.previews.graph(ANN, "pair").total == 4
    finally:
        services.close()
