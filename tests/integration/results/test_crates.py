"""Crates of runs are valid, complete and correct, and only for users who may see the run."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile

import pytest

from services.access.actors import local_actor
from services.errors import Conflict, NotFound
from services.models import Actor, State
from services.results.provenance import METADATA
from services.results.reports import Reports
from services.rundir import RunDir
from tests.helpers.api import client_of, refused
from tests.helpers.crate_validator import assert_valid_crate, problems_of, unpack

ME = local_actor()


def ids(value) -> list[str]:
    """The ids that a property refers to."""
    return [item["@id"] for item in (value if isinstance(value, list) else [value])]


def of_type(entities, kind):
    return [one for one in entities.values() if kind in (one["@type"], *one["@type"])]


@pytest.fixture(scope="module")
def copied(desk):
    """A completed run of one job with one input."""
    file = desk.services.files.register(ME, "grüße 1.txt", io.BytesIO(b"hello\n"))
    run = desk.finished(desk.submit("reader", text=file.id))
    assert run.state is State.COMPLETE
    return run


@pytest.fixture(scope="module")
def pair(desk):
    return desk.finished(desk.submit("pair"))


def test_crate_of_a_run_is_valid_and_describes_its_jobs(desk, pair):
    entities = assert_valid_crate(desk.services, pair.id)
    jobs = {job.id: job for job in desk.jobs(pair.id)}
    actions = {name: one for name, one in entities.items() if name.startswith("#job/")}
    assert actions.keys() == {f"#job/{job_id}" for job_id in jobs}
    for job_id, job in jobs.items():
        action = actions[f"#job/{job_id}"]
        assert action["startTime"] == job.started.isoformat(timespec="milliseconds")
        assert action["endTime"] == job.ended.isoformat(timespec="milliseconds")
        assert entities[action["instrument"]["@id"]]["name"] == f"Rule {job.rule}"
    total = next(job for job in jobs.values() if job.rule == "total")
    assert ids(actions[f"#job/{total.id}"]["result"]) == ["results/total.txt"]
    assert ids(actions[f"#job/{total.id}"]["object"]) == ["#file/work/a.txt", "#file/work/b.txt"]
    (organize,) = of_type(entities, "OrganizeAction")
    assert len(ids(organize["object"])) == len(jobs) == 4
    assert entities[organize["instrument"]["@id"]]["softwareVersion"].startswith("9.")
    main = entities[organize["result"]["@id"]]
    assert main["instrument"]["@id"] == "workflow/Snakefile"
    assert ids(main["result"]) == ["results/total.txt"]
    steps = ids(entities["workflow/Snakefile"]["step"])
    assert sorted(entities[step]["name"] for step in steps) == ["all", "make", "total"]


def test_validator_reports_a_missing_main_workflow(desk, pair, tmp_path):
    unpack(desk.services, pair.id, tmp_path)
    text = (tmp_path / METADATA).read_text()
    (tmp_path / METADATA).write_text(text.replace('"mainEntity"', '"mainThing"'))
    assert "./: The Main Workflow must be specified" in "\n".join(problems_of(tmp_path))


def test_crate_names_parameters_and_inputs_with_checksums(desk, copied):
    entities = assert_valid_crate(desk.services, copied.id, inputs=False)
    (entry,) = copied.inputs
    (given,) = [one for one in entities.values() if one.get("name") == "grüße 1.txt"]
    assert given["sha256"] == entry.sha256 == hashlib.sha256(b"hello\n").hexdigest()
    assert given["@id"].startswith("ni:///sha-256;")
    assert given["exampleOfWork"] == {"@id": "#param/text"}
    assert entities["#param/text"]["additionalType"] == "File"
    copies = [one for one in of_type(entities, "CreateAction") if one["name"] == "copy"]
    assert [ids(one["object"]) for one in copies] == [[given["@id"]]]
    assert entities["./"]["datePublished"] == copied.ended.isoformat(timespec="milliseconds")


def test_unpacked_crate_can_be_run_again(desk, copied, tmp_path):
    unpack(desk.services, copied.id, tmp_path)
    (tmp_path / "results/copy.txt").unlink()
    words = ["--cores", "1", "--quiet", "all"]
    subprocess.run([sys.executable, "-m", "snakemake", *words], cwd=tmp_path, check=True)
    assert (tmp_path / "results/copy.txt").read_text() == "hello\n"


def test_results_name_the_rule_and_the_job_that_created_them(desk, pair):
    (result,) = desk.services.results.list(ME, pair.id)
    (job,) = [job for job in desk.jobs(pair.id) if job.rule == "total"]
    assert (result.rule, result.job) == ("total", job.id)


def test_crate_is_sent_by_the_api(desk, copied):
    client = client_of(desk.services)
    address = f"/api/v1/runs/{copied.id}/crate"
    reply = client.get(address)
    assert int(reply.headers["Content-Length"]) == len(reply.data)
    with zipfile.ZipFile(io.BytesIO(reply.data)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert {METADATA, "config/config.yaml", "results/copy.txt", "workflow/Snakefile"} <= names
        assert json.loads(archive.read(METADATA)) == client.get(f"{address}/{METADATA}").get_json(
            force=True
        )
        whole = json.loads(archive.read(METADATA))["@graph"]
    local = {one["@id"] for one in whole if "File" in (one["@type"], *one["@type"])}
    assert local <= names
    small = client.get(f"{address}?inputs=0")
    with zipfile.ZipFile(io.BytesIO(small.data)) as archive:
        assert not [name for name in archive.namelist() if name.startswith("inputs/")]


def test_crate_of_a_run_that_is_not_complete_is_refused(desk):
    run = desk.finished(desk.submit("failing"))
    assert run.state is State.EXECUTOR_ERROR
    with pytest.raises(Conflict) as caught:
        desk.services.crates.bundle(ME, run.id)
    assert caught.value.text.code == "wrong_state"
    assert caught.value.message == (
        "Only completed runs have an RO-Crate; this run is EXECUTOR_ERROR."
    )
    refused(client_of(desk.services).get(f"/api/v1/runs/{run.id}/crate"), 409)


def test_crate_of_another_user_is_not_found(desk, pair):
    with pytest.raises(NotFound):
        desk.services.crates.bundle(Actor(id="ann"), pair.id)


def test_snakemake_report_is_created_once_and_shown_in_a_sandbox(desk, pair):
    client = client_of(desk.services)
    address = f"/api/v1/runs/{pair.id}/snakemake-report"
    reply = client.get(address)
    assert reply.status_code == 200, reply.text
    assert reply.mimetype == "text/html"
    assert reply.headers["Content-Security-Policy"].startswith("sandbox allow-scripts;")
    assert "Snakemake" in reply.text
    assert "total" in reply.text
    made = RunDir.of(desk.settings.data, pair.id).report
    assert made.read_bytes() == reply.data
    before = made.stat()
    assert client.get(address).status_code == 200
    assert made.stat() == before
    assert [path.name for path in made.parent.glob("report*")] == ["report.html"]
    assert "report.html" not in " ".join(desk.results(pair.id))
    with pytest.raises(NotFound):
        desk.services.reports.path(Actor(id="ann"), pair.id)


def test_snakemake_report_that_takes_too_long_is_a_conflict(desk, copied):
    with pytest.raises(Conflict) as caught:
        Reports(desk.settings, desk.services.runs, patience=0.01).path(ME, copied.id)
    assert caught.value.text.code == "system_error"
    assert caught.value.message == "Snakemake did not create the report within 0.01 seconds."
    assert not list(RunDir.of(desk.settings.data, copied.id).internal.glob("report*"))
