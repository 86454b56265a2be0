"""A sample sheet in a real browser: two errors, mended in the table and by a file, submitted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.browser.tables import type_into
from tests.desk import WORKFLOWS

PATIENCE = 100_000  # ms for a run to finish
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def settings(settings):
    return replace(settings, workflows=(WORKFLOWS,))


def test_sample_sheet_with_two_errors_is_mended_and_submitted(window, tmp_path):
    reads = tmp_path / "a_R1.fastq", tmp_path / "a_R2.fastq"
    for number, file in enumerate(reads):
        file.write_text(f"@r{number}\nA\n+\nI\n")
    table = tmp_path / "samples.csv"
    table.write_text(f"Project: X\n\nSample ID,First reads,Depth\n{HOSTILE},a_R1.fastq,3\na,,\n")
    page = window.open("/new?workflow=sampled")
    expect(page.get_by_text("No rows yet.")).to_be_visible()

    page.locator(".st-key-upload-field-samples-files input.files").set_input_files(reads)
    page.locator(".st-key-upload-field-samples-table input.files").set_input_files(table)
    expect(page.get_by_text("2 rows, 2 things to mend")).to_be_visible()
    expect(page.get_by_text("Row 1, Sample: Use letters, digits, - and _ only.")).to_be_visible()
    expect(page.get_by_text("Row 2, First reads: This is needed.")).to_be_visible()
    page.locator(".st-key-start button").click()
    expect(page.get_by_text("2 things to mend before this can start: Samples.")).to_be_visible()

    table_of = page.locator(".st-key-group-0 .dvn-scroller")
    type_into(page, table_of, column=1, row=1, text="b")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 rows, 1 thing to mend")).to_be_visible()
    table.write_text("Sample ID,First reads,Second reads\na,a_R1.fastq,a_R2.fastq\nb,a_R2.fastq,\n")
    page.locator(".st-key-upload-field-samples-table input.files").set_input_files(table)
    expect(page.get_by_text("2 rows. All is in order.")).to_be_visible()
    page.locator(".st-key-start button").click()

    expect(page.get_by_role("heading", name="Sampled")).to_be_visible()
    expect(page.locator(".st-key-head").get_by_text("Done")).to_be_visible(timeout=PATIENCE)
