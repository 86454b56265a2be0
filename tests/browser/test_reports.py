"""A MultiQC report of the workflows in the sandboxed frame of the portal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from routes.http.responses import SANDBOX
from tests.browser.conftest import Window

SCRIPTS = Path(__file__).parents[2] / "workflows" / "reads-qc" / "workflow" / "scripts"
sys.path.append(str(SCRIPTS))

from short_reads.multiqc import make_frame_safe, table_section  # noqa: E402

pytestmark = pytest.mark.workflow

URL = "http://127.0.0.1/report.html"
PLOT = {
    "id": "lengths",
    "section_name": "Lengths",
    "plot_type": "linegraph",
    "pconfig": {"id": "lengths-plot", "title": "Lengths of reads"},
    "data": {"one": {"1": 3, "2": 4}, "two": {"1": 5, "2": 2}},
}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    """A small report with a table and a plot, as MultiQC writes it."""
    folder = tmp_path_factory.mktemp("report")
    rows = {"one": {"reads": 12_345}, "two": {"reads": 7}}
    table = table_section("reads", "Reads", "How many", {"reads": {"title": "Reads"}}, rows)
    (folder / "table_mqc.json").write_text(table)
    (folder / "plot_mqc.json").write_text(json.dumps(PLOT))
    command = [sys.executable, "-m", "multiqc", "--no-ai", "--no-version-check", "--no-ansi"]
    command += ["--no-megaqc-upload", "--no-data-dir", "--filename", "report.html", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return make_frame_safe((folder / "report.html").read_text(encoding="utf-8"))


def test_report_works_without_an_origin_and_sends_no_request(chromium, report):
    page = chromium.new_page()
    headers = {"Content-Security-Policy": SANDBOX, "Content-Type": "text/html; charset=utf-8"}
    page.route(URL, lambda route: route.fulfill(body=report, headers=headers))
    window = Window(page, URL)
    window.watch()
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(URL)
    page.locator(".plotly .xtick").first.wait_for()
    page.locator("table th", has_text="Reads").first.click()
    assert page.evaluate("[self.origin, localStorage.getItem('mqc_hide_welcome')]") == [
        "null",
        "true",
    ]
    page.close()
    assert window.complaints == []
    assert [url for url in requests if not url.startswith(("data:", "blob:"))] == [URL]
