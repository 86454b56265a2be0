"""Sheets over HTTP: raw, as a form, as a registered file, by URL; invalid ones are refused.

The web host of these tests is on loopback, and the operators allow it by name and address.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from urllib.parse import quote

import openpyxl
import pytest

from services import sheets
from services.access.actors import local_actor
from services.engine.staging import stage
from services.params.schema import table_fields
from services.rundir import RunDir
from services.settings import HERE
from tests.helpers import web_host
from tests.helpers.api import client_of, codes, open_desk, refused
from tests.helpers.desk import WORKFLOWS
from tests.helpers.docs import recipes
from tests.helpers.processes import serving
from tests.helpers.waiting import free_port

PARSE = "/api/v1/sheets/parse?workflow=sampled&parameter=samples"
TABLE = "Project,<b>X</b>\n样品编号,First reads\na,a.fastq\na,b.fastq\n".encode()


@pytest.fixture(scope="module")
def host():
    with web_host.serving() as found:
        yield found


@pytest.fixture(scope="module")
def services(mongod, tmp_path_factory, host):
    folder = tmp_path_factory.mktemp("desk")
    with open_desk(mongod, folder, workflows=(WORKFLOWS,), **host.settings) as services:
        yield services


@pytest.fixture(scope="module")
def client(services):
    return client_of(services)


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
    issues = [(issue["cell"], issue["severity"], issue["message"]) for issue in found["issues"]]
    assert issues == [
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
        "sample,fastq_1\n".encode("utf-16")[:-1],
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


def test_parse_notes_what_was_changed_as_warnings(client, unchanged):
    table = "样品编号;文件;First reads\nS1;x;a.fastq\u200b\n".encode("gb18030")
    found = data(client.post(PARSE, data=table, content_type="text/csv"))
    assert found["records"] == [{"sample": "S1", "文件": "x", "fastq_1": "a.fastq"}]
    assert [(issue["severity"], issue["code"]) for issue in found["issues"]] == [
        ("warning", "unknown_field"),
        ("warning", "wrong_format"),
        ("warning", "invalid_characters"),
    ]


def test_pair_returns_rows_that_can_be_submitted(client, services, actor):
    names = [f"p_S1_L00{lane}_{read}_001.fastq" for lane in (1, 2) for read in ("R1", "R2", "I1")]
    ids = {
        name: services.files.register(actor, name, io.BytesIO(name.encode())).id for name in names
    }
    asked = {"workflow": "sampled", "parameter": "samples", "files": list(ids.values())}
    found = data(client.post("/api/v1/sheets/pair", json=asked))
    assert found["records"] == [
        {
            "sample": f"p_L00{lane}",
            "fastq_1": ids[f"p_S1_L00{lane}_R1_001.fastq"],
            "fastq_2": ids[f"p_S1_L00{lane}_R2_001.fastq"],
        }
        for lane in (1, 2)
    ]
    assert [issue["message"] for issue in found["issues"]] == [
        "p_S1_L001_I1_001.fastq was left out: it contains index reads.",
        "p_S1_L002_I1_001.fastq was left out: it contains index reads.",
        "The 2 lanes of p were added as samples of their own: p_L001, p_L002.",
    ]
    run = {"workflow": "sampled", "params": {"samples": found["records"]}}
    assert client.post("/api/v1/runs/validate", json=run).status_code == 200


def test_pair_refuses_unknown_files_and_sheets(client):
    asked = {"workflow": "sampled", "parameter": "samples", "files": ["0" * 24]}
    reply = client.post("/api/v1/sheets/pair", json=asked)
    assert refused(reply, 400) == {
        "files.0": ("File not found.", "Use the id of a registered file.")
    }
    refused(client.post("/api/v1/sheets/pair", json={**asked, "parameter": "none"}), 404)
    assert "files" in refused(client.post("/api/v1/sheets/pair", json={**asked, "files": []}), 400)


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


# ---- JSON bodies -----------------------------------------------------------------------------

WANTED = {"workflow": "sampled", "parameter": "samples"}


def parse(client, **body):
    return client.post("/api/v1/sheets/parse", json=body)


def test_parse_with_a_json_body_returns_the_same_as_with_a_query(client, services, actor, host):
    expected = data(client.post(PARSE, data=TABLE, content_type="text/csv"))
    assert data(parse(client, **WANTED, url=host.file("/sheet", TABLE))) == expected
    file = services.files.register(actor, "s.csv", io.BytesIO(TABLE))
    assert data(parse(client, **WANTED, file=file.id)) == expected
    services.files.delete(actor, file.id)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({**WANTED}, {"file": "missing"}),
        ({**WANTED, "file": "0" * 24, "url": "https://a/"}, {"url": "conflicting_fields"}),
        ({"url": "https://a/"}, {"workflow": "missing", "parameter": "missing"}),
        ({**WANTED, "url": "https://elsewhere.example/s.csv"}, {"url": "host_not_allowed"}),
        ({**WANTED, "url": "x"}, {"url": "wrong_format"}),
        ({**WANTED, "url": 1}, {"url": "wrong_type"}),
        ({**WANTED, "file": "x"}, {"file": "wrong_format"}),
        ({**WANTED, "rows": []}, {"rows": "unknown_field"}),
    ],
)
def test_parse_with_an_invalid_json_body_is_refused_by_its_fields(client, body, expected):
    reply = client.post("/api/v1/sheets/parse", json=body)
    refused(reply, 400)
    assert codes(reply) == expected


def test_parse_with_a_json_body_and_a_query_is_refused(client):
    reply = client.post(PARSE, json={**WANTED, "file": "0" * 24})
    refused(reply, 400)
    expected = {"query.parameter": "conflicting_fields", "query.workflow": "conflicting_fields"}
    assert codes(reply) == expected


def test_parse_reads_the_sheet_that_is_named(client, host):
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for sheet, sample in ((book.active, "first"), (book.create_sheet("样品 2"), "second")):
        sheet.append(["sample", "fastq_1"])
        sheet.append([sample, "a.fastq"])
    book.save(buffer)
    url = host.file("/book", buffer.getvalue())

    def samples(**named):
        found = data(parse(client, **WANTED, url=url, **named))
        return [record["sample"] for record in found["records"]]

    assert samples() == ["first"]
    assert samples(sheet="样品 2") == samples(sheet="样品  2") == ["second"]
    by_query = client.post(f"{PARSE}&sheet=%E6%A0%B7%E5%93%81%202", data=buffer.getvalue())
    assert data(by_query)["records"][0]["sample"] == "second"
    reply = parse(client, **WANTED, url=url, sheet="Notes")
    assert refused(reply, 400)["sheet"][1] == "Its sheets are “Sheet”, “样品 2”."
    assert codes(reply) == {"sheet": "not_found"}
    reply = parse(client, **WANTED, url=host.file("/sheet", TABLE), sheet="Notes")
    assert codes(reply) == {"sheet": "not_allowed"}


def test_parse_with_a_json_type_and_no_body_uses_the_query(client, host):
    address = f"{PARSE}&url={host.file('/sheet', TABLE)}"
    found = data(client.post(address, headers={"Content-Type": "application/json"}))
    assert found["rows"] == [3, 4]


def test_parse_of_a_private_address_that_is_not_listed_is_refused(client, host):
    host.asked.clear()
    for to in (f"http://127.0.0.1:{host.port}/sheet", "http://169.254.169.254/latest/"):
        for url in (to, host.redirect("/away", to)):
            assert set(refused(parse(client, **WANTED, url=url), 400)) == {"url"}
    assert host.asked == ["/away", "/away"]


# ---- rows of a table that its workflow reads itself --------------------------------------------

INFORMATION = (
    "项目,P-7\n样品编号,文件,物种,进样量,批次\n003,样品甲.mzML.gz,牛,two,7\n004,乙.raw,,3,\n"
)
REPORT = {"workflow": "ms-report", "parameter": "information"}
EXAMPLE = HERE / "workflows" / "ms-report" / "example"


@pytest.fixture(scope="module")
def mzml(services):
    content = (EXAMPLE / "LCMS-centroided.mzML.gz").read_bytes()
    return services.files.register(local_actor(), "样品甲.mzML.gz", io.BytesIO(content)).id


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_table_of_a_private_server_is_corrected_and_submitted_as_rows(
    services, client, host, mzml, tmp_path, encoding
):
    name = "信息表.csv"
    host.file(f"/download?type=1&fileName={quote(name)}", INFORMATION.encode(encoding))
    sheet = data(parse(client, **REPORT, url=host.url(f"/download?type=1&fileName={name}")))
    errors = [issue["cell"] for issue in sheet["issues"] if issue["severity"] == "error"]
    assert errors == ["D3"]
    rows = sheet["records"]
    assert rows[0]["sample_id"] == "003"
    rows[0]["injection_volume"] = 2
    rows[1]["species"] = None  # as a page sends an empty cell
    body = {"workflow": "ms-report", "params": {"information": rows, "mzml": [mzml]}}
    checked = data(client.post("/api/v1/runs/validate", json=body))
    assert checked["params"]["information"][0]["injection_volume"] == 2
    run = client.post("/api/v1/runs", json=body).get_json()["data"]
    assert run["sheets"] == {"information": "inputs/information.tsv"}

    stored, rundir = services.runs.get(local_actor(), run["id"]), RunDir(tmp_path / "run")
    workflow = services.workflows.folder("ms-report")
    stage(stored, rundir, workflow, services.files.blob)
    text = (rundir.root / "inputs/information.tsv").read_text()
    assert text.splitlines() == [
        "sample_id\tfile\tspecies\tinjection_volume\t批次",
        "003\t样品甲.mzML.gz\t牛\t2\t7",
        "004\t乙.raw\t\t3\t",
    ]
    schema = services.workflows.get(local_actor(), "ms-report").params_schema
    again = sheets.read(text.encode(), table_fields(schema)["information"]["rows"])
    assert again.records == [
        {name: value for name, value in row.items() if value is not None} for row in rows
    ]
    written = (rundir.root / "config/config.yaml").read_text()
    assert "\ninformation: inputs/information.tsv\n" in written
    assert written.startswith("# Every parameter is documented in config/README.md")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], {"params.information": "wrong_length"}),
        ([1], {"params.information.0": "wrong_type"}),
        ([{"sample_id": ["a"]}], {"params.information.0.sample_id": "wrong_type"}),
        ([{"sample_id": "a\x1b"}], {"params.information.0.sample_id": "invalid_characters"}),
        ([{"colour": "red"}], {"params.information": "missing"}),  # no known column
        ({"sample_id": "a"}, {"params.information": "wrong_type"}),
        (7, {"params.information": "wrong_type"}),
    ],
)
def test_rows_that_cannot_become_a_table_are_refused(client, mzml, rows, expected):
    body = {"workflow": "ms-report", "params": {"information": rows, "mzml": [mzml]}}
    for door in ("/api/v1/runs/validate", "/api/v1/runs"):
        reply = client.post(door, json=body)
        refused(reply, 400)
        assert codes(reply) == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.csv", b"nothing that names a column\n"),
        ("empty.tsv", b""),
        ("image.xlsx", b"PK\x03\x04\0\0"),
        ("binary.csv", b"sample\0id\n"),
    ],
)
def test_validate_of_a_file_that_is_no_table_finds_what_the_run_would(
    client, services, actor, mzml, name, content
):
    file = services.files.register(actor, name, io.BytesIO(content))
    body = {"workflow": "ms-report", "params": {"information": file.id, "mzml": [mzml]}}
    for door in ("/api/v1/runs/validate", "/api/v1/runs"):
        assert set(refused(client.post(door, json=body), 400)) == {"params.information"}


def test_validate_of_a_table_with_invalid_rows_accepts_it(client, services, actor, mzml):
    """The report lists them."""
    file = services.files.register(actor, "t.csv", io.BytesIO(INFORMATION.encode()))
    body = {"workflow": "ms-report", "params": {"information": file.id, "mzml": [mzml]}}
    assert data(client.post("/api/v1/runs/validate", json=body))


def test_name_of_a_file_is_checked_before_its_table(client, services, actor, mzml):
    file = services.files.register(actor, "t.pdf", io.BytesIO(b"%PDF-1.4"))
    body = {"workflow": "ms-report", "params": {"information": file.id, "mzml": [mzml]}}
    reply = client.post("/api/v1/runs/validate", json=body)
    refused(reply, 400)
    assert codes(reply) == {"params.information": "wrong_kind_of_file"}


def test_recipe_of_the_guide_for_front_ends_runs_as_printed(services, host, mzml, tmp_path):
    settings = replace(services.settings, api_port=free_port())
    url = host.file("/download?fileName=t.csv", INFORMATION.encode())
    (recipe,) = recipes("guide/front-end.md", "python")
    with serving(settings, tmp_path, "api") as servers:
        where = {"API": servers.settings.public_api_url, "TABLE": url, "MZML": mzml}
        output = subprocess.check_output(
            [sys.executable, "-c", recipe], env={"PATH": os.environ["PATH"], **where}, text=True
        )
    assert output.splitlines()[0].startswith("D3 ")
    assert output.splitlines()[-1] == "QUEUED"


# ---- empty strings in place of files -----------------------------------------------------------


def test_empty_string_for_a_required_file_is_missing_in_every_door(client, mzml):
    params = {"information": "", "mzml": [mzml]}
    body = {"workflow": "ms-report", "params": params}
    for door in ("/api/v1/runs", "/api/v1/runs/validate", "/api/v1/runs/preview"):
        reply = client.post(door, json=body)
        refused(reply, 400)
        assert codes(reply) == {"params.information": "missing"}
    form = {
        "workflow_type": "SMK",
        "workflow_type_version": "9",
        "workflow_url": "ms-report",
        "workflow_params": json.dumps(params),
    }
    reply = client.post("/ga4gh/wes/v1/runs", data=form)
    assert reply.status_code == 400
    assert "workflow_params.information: Required." in reply.get_json()["msg"]


def test_empty_string_for_an_optional_file_is_absent(client, mzml):
    params = {"information": [{"sample_id": "a", "file": "b"}], "mzml": [mzml], "fasta": ""}
    body = {"workflow": "ms-report", "params": params}
    assert "fasta" not in data(client.post("/api/v1/runs/validate", json=body))["params"]


def test_empty_string_in_a_row_of_a_sheet_is_a_missing_file(client):
    rows = [{"sample": "a", "fastq_1": "a.fastq", "fastq_2": ""}, {"sample": "b", "fastq_1": ""}]
    body = {"workflow": "sampled", "params": {"samples": rows}}
    reply = client.post("/api/v1/runs/validate", json=body)
    refused(reply, 400)
    assert codes(reply) == {"params.samples.1.fastq_1": "missing"}
