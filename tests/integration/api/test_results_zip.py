"""Results as a zip: complete, with a Content-Length and portable file names."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import pytest

from services.access.actors import local_actor
from services.errors import NotFound
from services.models import Actor, RunChanges
from services.rundir import RunDir
from tests.helpers.api import finished_run, refused

ANN = Actor(id="ann")
RESULTS = {
    "results/report.html": "<p>",
    "results/deep folder/ä b.tsv": "a\tb\n",
    'results/a:"b".txt': "first",
    "results/A__b_.txt": "second",
    "results/empty": "",
}


@pytest.fixture(scope="module")
def run(services):
    run = finished_run(services, local_actor(), RESULTS)
    changes = RunChanges(name="Größe / März: 1")
    return services.runs.update(local_actor(), run.id, changes)


def unpacked(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_zip_holds_every_result_under_safe_names(client, run):
    reply = client.get(f"/api/v1/runs/{run.id}/results.zip")
    folder = f"Größe-März-1-{run.id[-6:]}"
    found = unpacked(reply.data)
    assert {name.removeprefix(f"{folder}/results/"): text for name, text in found.items()} == {
        "report.html": "<p>",
        "deep folder/ä b.tsv": "a\tb\n",
        "a_b_.txt": "first",
        "A__b_.txt": "second",
        "empty": "",
    }
    assert int(reply.headers["Content-Length"]) == len(reply.data)
    assert reply.mimetype == "application/zip"
    said = reply.headers["Content-Disposition"]
    assert said.startswith("attachment; ")
    assert f"filename=Gr__e-M_rz-1-{run.id[-6:]}.zip" in said
    assert f"filename*=UTF-8''Gr%C3%B6%C3%9Fe-M%C3%A4rz-1-{run.id[-6:]}.zip" in said


def test_zip_of_a_selection(client, run):
    address = f"/api/v1/runs/{run.id}/results.zip"
    reply = client.get(address, query_string={"paths": "results/empty\nresults/report.html"})
    assert [name.rpartition("/")[2] for name in unpacked(reply.data)] == ["empty", "report.html"]
    refused(client.get(address, query_string={"paths": "results/../secret"}), 404, 40400)


def test_zip_of_several_runs_has_a_folder_each(services, client, run):
    other = finished_run(services, local_actor(), {"results/report.html": "other"})
    unfinished = client.post("/api/v1/runs", json={"workflow": "demo", "example": True})
    ids = [run.id, other.id, unfinished.get_json()["data"]["id"], run.id]
    client.post(f"/api/v1/runs/{ids[2]}/cancel")
    reply = client.get("/api/v1/results.zip", query_string={"run": ids})
    found = unpacked(reply.data)
    assert len(found) == len(RESULTS) + 1
    assert len({name.partition("/")[0] for name in found}) == 2
    assert "2 runs.zip" in reply.headers["Content-Disposition"]
    refused(client.get("/api/v1/results.zip"), 400, 40001)
    refused(client.get(f"/api/v1/results.zip?run={ids[2]}"), 404, 40403)


def test_names_that_differ_only_in_case_or_punctuation_stay_distinct(services):
    files = ["a.txt", "A.txt", "a:.txt", "a?.txt", "a_.txt"]
    run = finished_run(services, local_actor(), {f"results/{name}": name for name in files})
    bundle = services.results.bundle(local_actor(), [run.id])
    names = {name.rpartition("/")[2] for name in unpacked(b"".join(bundle.blocks))}
    assert len({name.lower() for name in names}) == len(files)


def test_zip_of_a_run_of_another_user_is_not_found(services, run):
    with pytest.raises(NotFound):
        services.results.bundle(ANN, [run.id])


def test_zip_is_created_with_constant_memory(services):
    run = finished_run(services, local_actor(), {"results/large.bin": ""})
    path = RunDir.of(services.settings.data, run.id).root / "results/large.bin"
    size = 64 * 2**20
    with path.open("wb") as file:
        file.truncate(size)
    bundle = services.results.bundle(local_actor(), [run.id])
    tracemalloc.start()
    sent = sum(len(block) for block in bundle.blocks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent == bundle.size > size
    assert peak < 4 * 2**20


def test_file_that_grows_while_it_is_sent_aborts_the_zip(services):
    run = finished_run(services, local_actor(), {"results/a.txt": "1"})
    bundle = services.results.bundle(local_actor(), [run.id])
    (RunDir.of(services.settings.data, run.id).root / "results/a.txt").write_text("123")
    with pytest.raises(RuntimeError):
        b"".join(bundle.blocks)
