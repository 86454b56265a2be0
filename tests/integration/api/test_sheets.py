"""Sheets over HTTP: raw, as a form, as a registered file, by URL; invalid ones are refused."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from services.access.actors import local_actor
from services.runs.samplesheets import SampleSheets
from tests.helpers import web_host
from tests.helpers.api import client_of, codes, open_desk, refused
from tests.helpers.desk import WORKFLOWS

PARSE = "/api/v1/sheets/parse?workflow=sampled&parameter=samples"
TABLE = "Project,<b>X</b>\n样品编号,First reads\na,a.fastq\na,b.fastq\n".encode()


@pytest.fixture(scope="module")
def services(mongod, tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    with open_desk(mongod, folder, workflows=(WORKFLOWS,)) as services:
        yield services


@pytest.fixture(scope="module")
def host():
    with web_host.serving() as found:
        yield found


@pytest.fixture(scope="module")
def client(services, host):
    sheets = SampleSheets(services.files, services.workflows, host.fetcher())
    return client_of(replace(services, sheets=sheets))


@pytest.fixture(scope="module", autouse=True)
def reads(services):
    return services.files.register(local_actor(), "a.fastq", io.BytesIO(b"@r\nA\n+\nI\n"))


@pytest.fixture
def unchanged(services, actor):
    """Check that parsing registers nothing."""
    before = services.files.list(actor)
    yield
    assert services.files.list(actor) == before


def data(reply):
    assert reply.status_code == 200, reply.get_json()
    return reply.get_json()["data"]


def test_parse_returns_the_same_for_raw_bodies_and_forms(client, unchanged):
    found = data(client.post(PARSE, data=TABLE, content_type="text/csv"))
    assert found["metadata"] == {"Project": "<b>X</b>"}
    assert found["records"][0] == {"sample": "a", "fastq_1": "a.fastq"}
    assert found["rows"] == [3, 4]
    assert [column["name"] for column in found["columns"]] == ["sample", "fastq_1"]
    told = [(issue["cell"], issue["severity"], issue["message"]) for issue in found["issues"]]
    assert told == [
        ("A4", "error", "“a” is already in row 3."),
        ("B4", "error", "You have no file named b.fastq."),
    ]
    form = {"file": (io.BytesIO(TABLE), "any name")}
    assert data(client.post(PARSE, data=form)) == found


def test_parse_reads_a_registered_file(client, services, actor):
    file = services.files.register(actor, "s.csv", io.BytesIO(TABLE))
    found = data(client.post(f"{PARSE}&file={file.id}"))
    assert found["rows"] == [3, 4]
    services.files.delete(actor, file.id)
    refused(client.post(f"{PARSE}&file={file.id}"), 404)


def test_parse_reads_a_table_at_an_allowed_host(client, host, unchanged):
    found = data(client.post(f"{PARSE}&url={host.file('/sheet', TABLE)}"))
    assert found == data(client.post(PARSE, data=TABLE, content_type="text/csv"))
    host.redirect("/away", "http://127.0.0.1:1/sheet")
    for url in (host.url("/none"), host.url("/away"), "https://elsewhere.example/s.csv", "x"):
        assert set(refused(client.post(f"{PARSE}&url={url}"), 400)) == {"query.url"}
    both = f"{PARSE}&url={host.url('/sheet')}&file={'0' * 24}"
    reply = client.post(both)
    assert refused(reply, 400) == {"query.url": ("Must not be given together with `file`.", "")}
    assert codes(reply) == {"query.url": "conflicting_fields"}
    refused(client.post(f"{PARSE}&url={host.file('/large', b'a' * 17_000_000)}"), 413)


@pytest.mark.parametrize(
    "body",
    [
        "sample,fastq_1\n".encode("utf-16"),
        b"sample,fastq_1\n\0",
        b"PK\x03\x04",
        ",".join(map(str, range(100_000))).encode(),
        b"",
    ],
)
def test_parse_refuses_what_is_not_a_table(client, unchanged, body):
    reply = client.post(PARSE, data=body, content_type="text/csv")
    assert set(refused(reply, 400)) == {"sheet"}


def test_parse_reports_missing_parts(client, unchanged):
    assert "body" in refused(client.post(PARSE), 400)
    assert "query.parameter" in refused(client.post("/api/v1/sheets/parse?workflow=sampled"), 400)
    for query in ("workflow=sampled&parameter=none", "workflow=none&parameter=samples"):
        refused(client.post(f"/api/v1/sheets/parse?{query}", data=TABLE), 404)
    refused(client.post(PARSE, data=b"a" * 17_000_000), 413)


def test_submission_with_rows_is_refused_by_cell_and_accepted_by_name(client):
    rows = [{"sample": "a", "fastq_1": "a.fastq"}, {"sample": "=1+1", "fastq_1": "a.fastq"}]
    wanted = {"workflow": "sampled", "params": {"samples": rows}}
    problems = refused(client.post("/api/v1/runs", json=wanted), 400)
    assert set(problems) == {"params.samples.1.sample"}
    rows[1]["sample"] = "b"
    run = client.post("/api/v1/runs", json=wanted).get_json()["data"]
    assert run["sheets"] == {"samples": "inputs/samples.tsv"}
    assert [entry["field"] for entry in run["inputs"]] == [
        "samples.0.fastq_1",
        "samples.1.fastq_1",
    ]


def test_wes_attachments_are_found_in_the_rows_of_a_sheet(client):
    form = {
        "workflow_type": "SMK",
        "workflow_type_version": "9",
        "workflow_url": "sampled",
        "workflow_params": '{"samples": [{"sample": "a", "fastq_1": "w.fastq"}]}',
        "workflow_attachment": (io.BytesIO(b"@r\nA\n+\nI\n"), "w.fastq"),
    }
    reply = client.post("/ga4gh/wes/v1/runs", data=form)
    assert reply.status_code == 200, reply.text
    run = client.get(f"/api/v1/runs/{reply.get_json()['run_id']}").get_json()["data"]
    (entry,) = run["inputs"]
    assert (entry["field"], entry["name"]) == ("samples.0.fastq_1", "w.fastq")
    assert run["params"]["samples"][0]["fastq_1"] == entry["file"]
