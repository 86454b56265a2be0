"""Results whose names are not UTF-8, contain line ends or are as long as the disk allows."""

from __future__ import annotations

import io
import os
import zipfile

import pytest

from services.access.actors import local_actor
from services.engine.publishing import publish
from services.models import Highlight, State
from services.rundir import RunDir
from tests.helpers.api import client_of, finished_run, open_desk
from tests.helpers.crate_validator import problems_of

LONG, FOLDER = "样" * 85, "名" * 85  # 255 bytes each
NAMES = {  # bytes on disk → path of the result
    "样品.tsv".encode("gbk"): "results/\ufffd\ufffd\u01b7.tsv",
    "Müll.tsv".encode("cp437"): "results/M\ufffdll.tsv",  # b"\x81" sorts before b"\xfc"
    "Müll.tsv".encode("latin-1"): "results/M\ufffdll (2).tsv",
    b"two\nlines.tsv": "results/two\ufffdlines.tsv",
    b"bell\x07.tsv": "results/bell\ufffd.tsv",
    "next\u2028line.tsv".encode(): "results/next\ufffdline.tsv",
    LONG.encode(): f"results/{LONG}",
    f"{FOLDER}/{FOLDER}/{LONG}".encode(): f"results/{FOLDER}/{FOLDER}/{LONG}",
    b"/".join([b"n" * 255] * 5): "results/" + "/".join(["n" * 255] * 5),
    b"plain.tsv": "results/plain.tsv",
}


@pytest.fixture(scope="module")
def services(mongod, tmp_path_factory):
    with open_desk(mongod, tmp_path_factory.mktemp("desk")) as services:
        yield services


@pytest.fixture(scope="module")
def client(services):
    return client_of(services)


@pytest.fixture(scope="module")
def run(services):
    """A run with a result for each name; its content is the name on disk."""
    run = finished_run(services, local_actor(), {"results/plain.tsv": ""})
    rundir = RunDir.of(services.settings.data, run.id)
    rundir.config.write_text("{}")
    for name in NAMES:
        file = os.path.join(os.fsencode(rundir.results), name)  # noqa: PTH118 - bytes
        os.makedirs(os.path.dirname(file), exist_ok=True)  # noqa: PTH103, PTH120 - bytes
        with open(file, "wb") as stream:  # noqa: PTH123 - bytes
            stream.write(name)
    publish(rundir, [], [Highlight(path="results/*l*ines.tsv", title="")])
    return run


def test_results_with_any_names_are_listed_with_replacement_characters(client, run):
    data = client.get(f"/api/v1/runs/{run.id}/results").json["data"]
    assert sorted(result["path"] for result in data) == sorted(NAMES.values())
    assert data[0]["title"] == data[0]["path"] == "results/two\ufffdlines.tsv"


@pytest.mark.parametrize("name", NAMES, ids=list(map(repr, range(len(NAMES)))))
def test_result_with_any_name_can_be_downloaded_by_its_listed_path(client, run, name):
    for query in ("", "?inline=1"):
        reply = client.get(f"/api/v1/runs/{run.id}/results/{NAMES[name]}{query}")
        assert (reply.status_code, reply.data) == (200, name)


def test_zip_contains_results_with_any_names(client, run):
    reply = client.get(f"/api/v1/runs/{run.id}/results.zip")
    with zipfile.ZipFile(io.BytesIO(reply.data)) as archive:
        assert archive.testzip() is None
        contents = {archive.read(member) for member in archive.namelist()}
    assert contents == set(NAMES)


def test_zip_of_selected_results_finds_replaced_names(client, run):
    names = list(NAMES)[:6]
    paths = "\n".join(NAMES[name] for name in names)
    reply = client.get(f"/api/v1/runs/{run.id}/results.zip", query_string={"paths": paths})
    with zipfile.ZipFile(io.BytesIO(reply.data)) as archive:
        assert [archive.read(member) for member in archive.namelist()] == names


def test_crate_contains_results_with_any_names_and_is_valid(client, services, run, tmp_path):
    reply = client.get(f"/api/v1/runs/{run.id}/crate")
    assert reply.status_code == 200
    with zipfile.ZipFile(io.BytesIO(reply.data)) as archive:
        contents = {archive.read(member) for member in archive.namelist()}
        archive.extractall(tmp_path)
    assert set(NAMES) <= contents
    assert problems_of(tmp_path) == []
    metadata = services.crates.metadata(local_actor(), run.id).decode()
    assert "results/two\ufffdlines.tsv" in metadata


def test_manifest_of_an_older_version_is_read_with_display_names(client, run, services):
    """Manifests store the names on disk, so runs from before this rule are listed too."""
    manifest = RunDir.of(services.settings.data, run.id).manifest.read_text()
    assert "\\udc" in manifest
    assert "\\n" in manifest


def test_files_that_a_job_writes_into_a_directory_are_results(desk):
    """Snakemake marks the directory with a timestamp, which is no result."""
    done = desk.finished(desk.submit("names"))
    assert done.state is State.COMPLETE
    published = desk.services.results.files(local_actor(), done.id)
    assert {entry.result.path: entry.file.read_bytes() for entry in published} == {
        "results/unpacked/\ufffd\ufffd\u01b7.txt": "样品.txt".encode("gbk"),
        "results/unpacked/M\ufffdll.txt": b"M\xfcll.txt",
        "results/unpacked/two\ufffdlines.txt": b"two\nlines.txt",
        "results/unpacked/" + "n" * 255: b"n" * 255,
    }
    assert {entry.result.rule for entry in published} == {"unpack"}


@pytest.fixture
def replaced(services, tmp_path):
    """A completed run whose results were replaced by links after they had been published."""
    run = finished_run(services, local_actor(), {"results/a.txt": "a", "results/sub/b.txt": "b"})
    (secret := tmp_path / "secret").mkdir()
    for name in ("a.txt", "b.txt"):
        (secret / name).write_text("secret")
    results = RunDir.of(services.settings.data, run.id).results
    (results / "a.txt").unlink()
    (results / "a.txt").symlink_to(secret / "a.txt")
    (results / "sub").rename(results / "moved")
    (results / "sub").symlink_to(secret)
    return run


@pytest.mark.parametrize("path", ["results/a.txt", "results/sub/b.txt"])
@pytest.mark.parametrize("query", ["", "?inline=1"])
def test_result_that_was_replaced_by_a_link_is_not_sent(client, replaced, path, query):
    reply = client.get(f"/api/v1/runs/{replaced.id}/results/{path}{query}")
    assert reply.status_code == 404
    assert reply.json["msg"] == (
        f"The content of {path} was replaced by a link that leads out of the run."
    )


@pytest.mark.parametrize("archive", ["results.zip", "crate"])
def test_archive_of_results_that_were_replaced_by_links_is_refused(client, replaced, archive):
    reply = client.get(f"/api/v1/runs/{replaced.id}/{archive}")
    assert reply.status_code == 404
    assert b"secret" not in reply.data


def test_result_that_is_a_link_within_the_run_is_sent(client, services):
    run = finished_run(services, local_actor(), {"results/a.txt": "a"})
    rundir = RunDir.of(services.settings.data, run.id)
    (rundir.results / "b.txt").symlink_to("a.txt")
    publish(rundir, [], [])
    assert client.get(f"/api/v1/runs/{run.id}/results/results/b.txt").data == b"a"
