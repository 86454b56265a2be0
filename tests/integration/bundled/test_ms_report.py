"""The mass spectrometry report through the API: submission, run and results.

Figures of the mzML files are those that pyteomics 5 counts in them. BSA1 is a part of a real run
(see the workflow's example/LICENSE.md).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import sync_playwright

from services import bootstrap
from services.access.actors import local_actor
from services.models import RunFilter, State
from services.settings import HERE
from tests.helpers import web_host
from tests.helpers.api import client_of
from tests.helpers.chromium import launch_chromium
from tests.helpers.crate_validator import assert_valid_crate
from tests.helpers.waiting import until

pytestmark = pytest.mark.workflow

EXAMPLE = HERE / "workflows" / "ms-report" / "example"
TABLES = HERE / "tests" / "data" / "tables"
HOSTILE = "<img src=x onerror=alert(1)>"
TABLE = f"""项目,{HOSTILE}
样品编号,文件,备注,进样量
S-1,runs\\样品 甲.RAW,first,2
S-2,lost.mzML,=1+1,none
"""

Read = Callable[[str], str]


def data(reply: Any) -> Any:
    assert reply.status_code < 300, reply.text
    return reply.get_json()["data"]


@pytest.fixture(scope="module")
def client(desk):
    return client_of(desk.services)


def finished(desk, client, body: dict[str, Any]) -> tuple[str, Read]:
    """Run the workflow through the API; return the run id and a function that reads a result."""
    run_id = data(client.post("/api/v1/runs", json={"workflow": "ms-report", **body}))["id"]
    run = until(lambda: found if (found := desk.run(run_id)).state.final else None, 100)
    assert run.state is State.COMPLETE, run.error

    def read(name: str) -> str:
        return client.get(f"/api/v1/runs/{run_id}/results/results/{name}").text

    return run_id, read


@pytest.fixture(scope="module")
def example(desk, client) -> Read:
    """The example: a table with errors, three runs, and a protein database."""
    return finished(desk, client, {"example": True})[1]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))


def upload(client, name: str, content: bytes) -> str:
    sent = {"file": (io.BytesIO(content), name)}
    return str(data(client.post("/api/v1/files", data=sent))["id"])


# ---- the table -------------------------------------------------------------------------------


def test_header_block_and_rows_of_the_table_are_read(example):
    found = json.loads(example("information.json"))
    assert found["metadata"] == {"Project": "BSA digest QC", "Submitted by": "proteomics core"}
    assert [row["row"] for row in found["rows"]] == [5, 6, 7, 8]
    assert [row["run"] for row in found["rows"]] == ["BSA1", None, None, None]
    assert found["rows"][0]["values"] == {
        "sample_id": "BSA-1",
        "sample_name": "BSA digest 1",
        "file": "BSA1.mzML",
        "instrument": "LTQ Orbitrap",
        "condition": 1,
        "date": "2008-06-01",
    }
    assert [column["name"] for column in found["columns"]][:3] == [
        "sample_id",
        "sample_name",
        "file",
    ]


def test_duplicate_id_and_missing_file_are_reported_with_row_and_cell(example):
    issues = rows(example("issues.tsv"))
    cells = {(issue["row"], issue["cell"], issue["severity"]) for issue in issues}
    assert cells == {
        ("7", "A7", "error"),  # duplicate ID of row 6
        ("8", "C8", "error"),  # no file name
        ("6", "C6", "warning"),  # file not among the runs
        ("7", "C7", "warning"),
        ("", "", "warning"),  # the two runs that are not in the table
    }
    messages = [issue["message"] for issue in issues]
    assert sum("is not in the table." in message for message in messages) == 2
    report = example("report.html")
    assert "<b>A7</b>" in report
    assert "<b>C8</b>" in report
    assert report.count(">no data<") == 3


def test_parsing_the_table_reports_the_same_errors_before_a_run(example, client):
    table = (EXAMPLE / "information_table.xlsx").read_bytes()
    address = "/api/v1/sheets/parse?workflow=ms-report&parameter=information"
    before = data(client.post(address, data={"file": (io.BytesIO(table), "table.xlsx")}))
    errors = [issue for issue in rows(example("issues.tsv")) if issue["severity"] == "error"]
    assert [(issue["cell"], issue["message"]) for issue in before["issues"]] == [
        (issue["cell"], issue["message"]) for issue in errors
    ]


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        ("merged.xlsx", "对照"),
        ("old.xls", "对照"),
        ("formula.xlsx", None),
        ("样品编号,文件,分组\nS1,a.mzML,对照\n".encode("gb18030"), "对照"),
        ("样品编号\t文件\t分组\nS1\ta.mzML\t对照\n".encode("utf-16"), "对照"),
    ],
)
def test_parsing_tables_as_people_make_them_has_no_errors(client, table, condition):
    content = table if isinstance(table, bytes) else (TABLES / table).read_bytes()
    address = "/api/v1/sheets/parse?workflow=ms-report&parameter=information"
    sheet = data(client.post(address, data=content, content_type="application/octet-stream"))
    assert [issue for issue in sheet["issues"] if issue["severity"] == "error"] == []
    assert sheet["records"][0].get("condition") == condition


# ---- the runs --------------------------------------------------------------------------------

MEASURED = {
    "BSA1": {
        "ms1_spectra": 286,
        "ms2_spectra": 481,
        "first_min": 1501.41394042969 / 60,
        "last_min": 1999.83911132812 / 60,
        "total_ion_current": 1950974638.7844849,
        "base_peak_intensity": 11977811.0,
        "base_peak_mz": 395.23931168381046,
        "charge_2": 308,
        "charge_3": 168,
        "charge_4_and_more": 5,
        "interval_s": 0.3773193359349989,
        "longest_gap_s": 1.7880859375,
        "ms1_mz_low": 300.0288783764371,
        "ms1_mz_high": 799.828014279836,
        "ms2_mz_low": 85.8143310546875,
    },
    "Ecoli_MS2_small": {
        "ms1_spectra": 0,
        "ms2_spectra": 139,
        "first_min": 5000.0916 / 60,
        "last_min": 5049.7361 / 60,
        "total_ion_current": 8278652.647275925,
        "charge_2": 97,
        "charge_3": 33,
        "charge_4_and_more": 9,
        "interval_s": 0.2706,
        "ms2_mz_high": 1762.959716796875,
    },
    "LCMS-centroided": {
        "ms1_spectra": 112,
        "ms2_spectra": 0,
        "first_min": 4114.53 / 60,
        "last_min": 4481.96 / 60,
        "total_ion_current": 150894.4759531021,
        "base_peak_intensity": 934.5284423828125,
        "base_peak_mz": 646.2432250976562,
        "cycle_s": 3.22,
        "ms1_mz_low": 643.205322265625,
    },
}


@pytest.mark.parametrize("run", MEASURED)
def test_metrics_of_a_run_agree_with_pyteomics(example, run):
    found = next(row for row in rows(example("metrics.tsv")) if row["run"] == run)
    figures = {name: float(found[name]) for name in MEASURED[run]}
    assert figures == pytest.approx(MEASURED[run], rel=1e-5)
    spectra = rows(example(f"chromatograms/{run}.tsv"))
    assert len(spectra) == int(found["spectra"])
    assert {row["ms_level"] for row in spectra} <= {"1", "2"}


def test_albumin_is_the_first_protein_with_tens_of_spectra(example):
    proteins, psms = rows(example("proteins.tsv")), rows(example("psms.tsv"))
    assert proteins[0]["accession"] == "P02769|ALBU_BOVIN"
    assert int(proteins[0]["psms"]) >= 20
    assert int(proteins[0]["peptides"]) >= 8
    assert 10 < float(proteins[0]["coverage_percent"]) < 30
    assert all(int(other["peptides"]) == 1 for other in proteins[1:])
    assert len(psms) >= 25
    assert {psm["run"] for psm in psms} == {"BSA1"}
    assert max(float(psm["q_value"]) for psm in psms) <= 0.01
    assert not any("DECOY" in psm["proteins"] for psm in psms)
    albumin = sequence(EXAMPLE / "proteins.fasta.gz", "P02769|ALBU_BOVIN")
    assert all(psm["peptide"] in albumin for psm in psms if "ALBU_BOVIN" in psm["proteins"])
    summary = json.loads(example("summary.json"))["identification"]
    assert (summary["psms"], summary["top_protein"]) == (len(psms), "P02769|ALBU_BOVIN")


def sequence(path, accession: str) -> str:
    with gzip.open(path, "rt") as file:
        entries = file.read().split(">")
    entry = next(entry for entry in entries if entry.startswith(accession))
    return "".join(entry.splitlines()[1:])


# ---- the report ------------------------------------------------------------------------------


def test_report_loads_nothing_and_draws_every_run(example, tmp_path):
    html = example("report.html")
    assert not re.findall(r"https?:|\bsrc=|url\(|@import|fetch\(|XMLHttpRequest|innerHTML", html)
    assert set(re.findall(r'href="(.)', html)) == {"#"}
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    (tmp_path / "report.html").write_text(html.replace("<head>", f"<head>{head}", 1))
    with sync_playwright() as player:
        browser = launch_chromium(player.chromium)
        page = browser.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((tmp_path / "report.html").as_uri())
        assert page.locator(".chart path.tic").count() == 3
        assert page.locator(".chart").first.locator(".found").count() >= 25
        page.locator(".chart").first.focus()
        page.keyboard.press("ArrowRight")
        assert "Total ion current" in page.locator("#tip").inner_text()
        browser.close()
    assert wrong == []


# ---- other tables ----------------------------------------------------------------------------


def test_chinese_table_in_csv_is_matched_by_original_names_and_stays_text(desk, client):
    table = upload(client, "信息表.csv", TABLE.encode("utf-8-sig"))
    run = (EXAMPLE / "LCMS-centroided.mzML.gz").read_bytes()
    mzml = [upload(client, name, run) for name in ("样品 甲.mzML.gz", "样品 乙.mzML.gz")]
    _, read = finished(desk, client, {"params": {"information": table, "mzml": mzml}})
    found = json.loads(read("information.json"))
    matched = [row["run"] and found["runs"][row["run"]] for row in found["rows"]]
    assert matched == ["样品 甲.mzML.gz", None]
    assert found["metadata"] == {"项目": HOSTILE}
    cells = {issue["cell"] for issue in found["issues"] if issue["row"] == 4}
    assert cells == {"B4", "C4", "D4"}  # the file, the formula, the volume
    assert HOSTILE not in read("report.html")
    assert "&lt;img src=x onerror=alert(1)&gt;" in read("report.html")


def test_table_of_a_private_server_becomes_a_report_of_its_corrected_rows(desk):
    with web_host.serving() as host:
        services = bootstrap.build(replace(desk.settings, **host.settings))
        client = client_of(services)
        name, table = "信息表.csv", TABLE.replace("=1+1", "second").encode("gb18030")
        host.file(f"/download?type=1&fileName={quote(name)}", table)
        url = host.url(f"/download?type=1&fileName={name}")
        wanted = {"workflow": "ms-report", "parameter": "information", "url": url}
        sheet = data(client.post("/api/v1/sheets/parse", json=wanted))
        services.close()
    client = client_of(desk.services)
    errors = [issue["cell"] for issue in sheet["issues"] if issue["severity"] == "error"]
    assert errors == ["D4"]
    rows = sheet["records"]
    rows[1]["injection_volume"] = 2.5  # the corrected cell
    mzml = [upload(client, "样品 甲.mzML.gz", (EXAMPLE / "LCMS-centroided.mzML.gz").read_bytes())]
    _, read = finished(desk, client, {"params": {"information": rows, "mzml": mzml}})
    found = json.loads(read("information.json"))
    assert [row["values"] for row in found["rows"]] == rows
    assert [row["run"] and found["runs"][row["run"]] for row in found["rows"]] == [
        "样品 甲.mzML.gz",
        None,
    ]
    assert {issue["severity"] for issue in found["issues"]} == {"warning"}
    assert "S-2" in read("report.html")


def test_file_that_is_not_mzml_is_rejected_before_a_run(client):
    table = upload(client, "table.csv", TABLE.encode())
    mzml = [upload(client, "notes.mzML", b"nothing of the kind\n")]
    body = {"workflow": "ms-report", "params": {"information": table, "mzml": mzml}}
    reply = client.post("/api/v1/runs", json=body)
    assert reply.status_code == 400
    assert "notes.mzML" in reply.text


def test_crate_of_a_run_is_valid(desk, example):
    found = desk.services.runs.list(local_actor(), RunFilter(workflow="ms-report", limit=200))
    runs = [run.id for run in found.items if run.state is State.COMPLETE]
    entities = assert_valid_crate(desk.services, runs[-1])
    assert entities["results/report.html"]["sha256"]
