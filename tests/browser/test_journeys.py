"""What people do, in a real browser before a whole desk."""

from __future__ import annotations

import re

from playwright.sync_api import expect

PATIENCE = 100_000  # ms for a run to finish


def test_first_visit_example_watch_report(window):
    page = window.open()
    expect(page.get_by_text("Nothing has run here yet")).to_be_visible()
    page.locator(".st-key-example-welcome-sequence-search button").click()

    title = re.compile("Sequence search.* example")
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page).to_have_url(re.compile(r"/run\?id=[0-9a-f]{24}"))
    expect(page.get_by_role("region", name="Steps of the run")).to_be_visible()
    expect(page.locator(".st-key-head").get_by_text("Done")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("9 of 9 jobs")).to_be_visible()

    page.locator(".st-key-see-results button").click()
    report = page.frame_locator(".st-key-result-0 iframe")
    expect(report.get_by_text("queries.fasta.gz against swissprot_subset.fasta.gz")).to_be_visible()
    expect(report.get_by_text("64 % of the queries")).to_be_visible()  # 16 of 25
    report.get_by_role("button", name="Hits 16").click()
    report.get_by_text("sp|Q0HXU4|SYL_SHESR").click()
    expect(report.get_by_text("12 hits").first).to_be_visible()

    page.get_by_role("tab", name="Log").click()
    expect(page.locator(".st-key-log")).to_contain_text("rule search")

    page.reload()
    expect(page.get_by_role("tab", name="Log")).to_have_attribute("aria-selected", "true")
    page.get_by_role("link", name="Runs", exact=True).first.click()
    expect(page.locator(".st-key-runs")).to_be_visible()
    expect(page.get_by_text("Nothing has run here yet")).to_be_hidden()


def test_form_with_files_of_ones_own(window, tmp_path):
    queries, database = tmp_path / "mine.fasta", tmp_path / "theirs.fasta"
    protein = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVVHSLAKWKR"
    queries.write_text(f">q\n{protein}\n")
    database.write_text(f">hit <b>bold</b>\n{protein}\n")
    page = window.open("/new?workflow=sequence-search")

    page.locator(".st-key-start button").click()
    expect(page.get_by_text("This is needed.").first).to_be_visible()

    for name, file in (("queries", queries), ("database", database)):
        box = page.locator(f".st-key-upload-field-{name}")
        box.locator("input.files").set_input_files(file)
        expect(box.get_by_text("Uploaded.")).to_be_visible()
    page.locator(".st-key-run-name input").fill("My *first* search")
    page.locator(".st-key-start button").click()

    expect(page.get_by_role("heading", name="My *first* search")).to_be_visible()
    expect(page.locator(".st-key-head").get_by_text("Done")).to_be_visible(timeout=PATIENCE)
    page.locator(".st-key-see-results button").click()
    report = page.frame_locator(".st-key-result-0 iframe")
    expect(report.get_by_text("100 % of the queries")).to_be_visible()
    expect(report.get_by_text("<b>bold</b>").first).to_be_visible()
