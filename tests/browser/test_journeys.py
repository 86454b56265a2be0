"""Complete tasks of users, in a real browser; all tests share one installation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.models import RunFilter, RunRequest
from services.settings import Settings
from tests.browser.conftest import Window
from tests.helpers.desk import WORKFLOWS as SMALL
from tests.helpers.processes import Servers
from tests.helpers.shared_desk import shared
from tests.helpers.tables import type_into

WORKFLOWS = (Path(__file__).parent / "workflows", SMALL)
ADDITIONS = Path(__file__).parents[1] / "integration" / "additions"
MOVED = "document.querySelector('.st-key-group-run').style.marginTop = '90px'"
HOSTILE = "<img src=x onerror=alert(1)>"
RUN_TIMEOUT_MS = 180_000  # for a run to finish on a busy machine

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def desk(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("desk")
    names = ("api", "portal", "runner")
    with shared(mongod, folder, *names, workflows=WORKFLOWS) as servers:
        yield servers


@pytest.fixture
def settings(desk: Servers) -> Settings:
    return desk.settings


def state(page: Page, word: str) -> None:
    """Wait until the badge in the head of the open run shows this state."""
    chip = page.locator(".st-key-head .stMarkdownBadge")
    expect(chip.filter(has_text=re.compile(rf"{word}$")).first).to_be_visible(
        timeout=RUN_TIMEOUT_MS
    )


def test_first_visitor_runs_the_example_and_reads_the_report(window):
    page = window.open()
    expect(page.get_by_text("There are no runs yet")).to_be_visible()
    page.locator(".st-key-example-welcome-sequence-search button").click()

    title = re.compile("Sequence search.* example")
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page).to_have_url(re.compile(r"/run\?id=[0-9a-f]{24}"))
    expect(page.get_by_role("region", name="Steps of the run")).to_be_visible()
    state(page, "Done")
    expect(page.get_by_text(re.compile(r"(\d+) of \1 jobs")).first).to_be_visible()

    page.locator(".st-key-see-results button").click()
    report = page.frame_locator(".st-key-result-0 iframe")
    expect(report.get_by_text("queries.fasta.gz against swissprot_subset.fasta.gz")).to_be_visible()
    expect(report.get_by_text("64% of the queries")).to_be_visible()  # 16 of 25
    report.get_by_role("button", name="Hits 16").click()
    report.get_by_text("sp|Q0HXU4|SYL_SHESR").click()
    expect(report.get_by_text("12 hits").first).to_be_visible()

    page.get_by_role("tab", name="Log").click()
    expect(page.locator(".st-key-log")).to_contain_text("rule search")

    page.reload()
    expect(page.get_by_role("tab", name="Log")).to_have_attribute("aria-selected", "true")
    page.get_by_role("link", name="Runs", exact=True).first.click()
    expect(page.locator(".st-key-runs")).to_be_visible()
    expect(page.get_by_text("There are no runs yet")).to_be_hidden()


def test_form_runs_with_uploaded_files(window, tmp_path):
    queries, database = tmp_path / "mine.fasta", tmp_path / "theirs.fasta"
    protein = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVVHSLAKWKR"
    queries.write_text(f">q\n{protein}\n")
    database.write_text(f">hit <b>bold</b>\n{protein}\n")
    page = window.open("/new?workflow=sequence-search")

    page.locator(".st-key-start button").click()
    expect(page.get_by_text("Required.").first).to_be_visible()

    for name, file in (("queries", queries), ("database", database)):
        box = page.locator(f".st-key-upload-field-{name}")
        box.locator("input.files").set_input_files(file)
        expect(box.get_by_text("Uploaded.")).to_be_visible()
        chosen = page.locator(f".st-key-field-{name} input")
        expect(chosen).to_have_value(re.compile(re.escape(file.name)))
    page.locator(".st-key-run-name input").fill("My *first* search")
    page.locator(".st-key-start button").click()

    expect(page.get_by_role("heading", name="My *first* search")).to_be_visible()
    state(page, "Done")
    page.locator(".st-key-see-results button").click()
    report = page.frame_locator(".st-key-result-0 iframe")
    expect(report.get_by_text("100% of the queries")).to_be_visible()
    expect(report.get_by_text("<b>bold</b>").first).to_be_visible()


def test_failed_run_is_corrected_and_completes(window: Window) -> None:
    page = window.open("/new?workflow=thirds")
    page.locator(".st-key-run-name input").fill("By nothing")
    page.locator(".st-key-start button").click()
    expect(page.get_by_role("heading", name="By nothing")).to_be_visible()
    state(page, "Failed")
    expect(page.locator(".st-key-failure")).to_contain_text("division by zero")

    page.locator(".st-key-failed-job button").click()
    expect(page.locator(".st-key-job")).to_contain_text("Error: division by zero")
    page.get_by_role("button", name="Run again").click()
    divisor = page.locator(".st-key-field-divisor input")
    expect(divisor).to_have_value("0")
    expect(page.locator(".st-key-run-name input")).to_have_value("By nothing")
    divisor.fill("3")
    divisor.press("Tab")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".st-key-plan")).to_contain_text("2 jobs in total.")
    page.locator(".st-key-start button").click()
    state(page, "Done")
    page.locator(".st-key-see-results button").click()
    expect(page.locator(".st-key-result-0")).to_contain_text("4")


def test_text_typed_right_before_start_is_submitted(window: Window, services, actor):
    page = window.open("/new?workflow=typed")
    start = page.locator(".st-key-start button")
    for key, text in {"field-label": "one", "field-words": "two", "run-tags": "three"}.items():
        page.locator(f".st-key-{key} input").first.click()
        page.keyboard.type(text)  # and no Enter
    rows = page.locator(".st-key-group-0 .dvn-scroller")
    type_into(page, rows, row=1, column=1, text="four", new=True)
    start.hover()
    page.mouse.down()
    page.evaluate(MOVED)  # as when a problem of a field disappears
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"/run\?id="))
    (run,) = services.runs.list(actor, RunFilter(workflow="typed")).items
    assert run.params == {"label": "one", "words": ["two"], "rows": [{"name": "four"}]}
    assert run.tags == ["three"]

    page.get_by_role("button", name="Run again").click()
    label = page.locator(".st-key-field-label input")
    expect(label).to_have_value("one")
    label.click()
    page.keyboard.type(" more")
    start.evaluate(
        "button => button.click()"
    )  # as in browsers where a click does not move the focus
    expect(page).to_have_url(re.compile(r"/run\?id="))
    newest, _ = services.runs.list(actor, RunFilter(workflow="typed")).items
    assert newest.params == {**run.params, "label": "one more"}


def test_canceled_run_is_updated_in_both_windows(window: Window, services, actor) -> None:
    request = RunRequest(workflow="thirds", params={"divisor": 4, "seconds": 300}, name="Long")
    run = services.runs.submit(actor, request)
    page = window.open(f"/run?id={run.id}")
    other = window.another()
    other.goto(page.url)
    for one in (page, other):
        state(one, "Running")
    page.locator(".st-key-cancel button").click()
    page.get_by_role("button", name="Cancel the run").click()
    for one in (page, other):
        state(one, "Canceled")
        expect(one.locator(".st-key-resume button")).to_be_visible()
    other.close()


def test_filters_are_kept_in_the_address(window: Window, services, actor) -> None:
    for name in ("red one", "blue one"):
        request = RunRequest(workflow="thirds", params={"seconds": 300}, name=name)
        services.runs.cancel(actor, services.runs.submit(actor, request).id)
    page = window.open()
    search = page.get_by_placeholder("Search name, tag or workflow")
    search.fill("red")
    search.press("Enter")
    expect(page).to_have_url(re.compile(r"q=red"))
    page.locator(".st-key-state").get_by_text("Canceled", exact=True).click()
    expect(page).to_have_url(re.compile(r"state=Canceled"))
    expect(page.get_by_text("1 run.")).to_be_visible()
    address = page.url

    other = window.another()
    other.goto(address)
    expect(other.get_by_text("1 run.")).to_be_visible()
    expect(other.get_by_placeholder("Search name, tag or workflow")).to_have_value("red")
    other.close()
    search.fill("no such run")
    search.press("Enter")
    expect(page.get_by_text("No matching runs")).to_be_visible()


def test_added_workflow_runs_from_its_inferred_form(window: Window, services, actor) -> None:
    services.additions.add(actor, str(ADDITIONS / "word-counts"))
    page = window.open("/new?workflow=word-counts")
    longest = page.locator(".st-key-field-longest input")
    expect(longest).to_have_value("3")
    longest.fill("2")
    longest.press("Tab")
    page.locator(".st-key-start button").click()
    state(page, "Done")
    (run,) = services.runs.list(actor, RunFilter(workflow="word-counts")).items
    assert run.params["longest"] == 2
    assert "results/words.tsv" in [made.path for made in services.results.list(actor, run.id)]


def test_sample_sheet_with_two_errors_is_corrected_and_submitted(window, tmp_path):
    reads = tmp_path / "a_R1.fastq", tmp_path / "a_R2.fastq"
    for number, file in enumerate(reads):
        file.write_text(f"@r{number}\nA\n+\nI\n")
    table = tmp_path / "samples.csv"
    table.write_text(f"Project: X\n\nSample ID,First reads,Depth\n{HOSTILE},a_R1.fastq,3\na,,\n")
    page = window.open("/new?workflow=sampled")
    expect(page.get_by_text("No rows yet.")).to_be_visible()

    page.locator(".st-key-upload-field-samples-files input.files").set_input_files(reads)
    page.locator(".st-key-upload-field-samples-table input.files").set_input_files(table)
    expect(page.get_by_text("2 rows, 2 problems")).to_be_visible()
    expect(page.get_by_text("Row 1, Sample: Use letters, digits, - and _ only.")).to_be_visible()
    expect(page.get_by_text("Row 2, First reads: Required.")).to_be_visible()
    page.locator(".st-key-start button").click()
    expect(page.get_by_text("Fix 2 problems before starting: Samples.")).to_be_visible()

    table_of = page.locator(".st-key-group-0 .dvn-scroller")
    type_into(page, table_of, column=1, row=1, text="b")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 rows, 1 problem")).to_be_visible()
    table.write_text("Sample ID,First reads,Second reads\na,a_R1.fastq,a_R2.fastq\nb,a_R2.fastq,\n")
    page.locator(".st-key-upload-field-samples-table input.files").set_input_files(table)
    expect(page.get_by_text("2 rows, no problems found.")).to_be_visible()
    page.locator(".st-key-start button").click()

    expect(page.get_by_role("heading", name="Sampled")).to_be_visible()
    state(page, "Done")
