"""The form of a new run: it starts what it shows, shows what is wrong, and keeps what was typed."""

from __future__ import annotations

import gzip
import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from services.models import Run, RunFilter
from services.settings import Settings
from tests.browser.conftest import Window
from tests.helpers.flaky_proxy import Line, line_to
from tests.helpers.processes import Servers
from tests.helpers.shared_desk import shared
from tests.helpers.tables import type_into
from tests.helpers.waiting import free_port, until

WORKFLOWS = (Path(__file__).parent / "workflows",)
BUNDLED = ("amplicon-variants", "ms-report", "reads-qc", "sequence-search")
VIEWPORTS = ((390, 844), (1280, 800), (1920, 1080))
SESSION_S = 2  # instead of disconnectedSessionTTL in .streamlit/config.toml
FIRST = {  # the first field that an empty form lacks, and its label
    "amplicon-variants": ("grid-field-samples", "Samples"),
    "ms-report": ("field-information", "Information table"),
    "reads-qc": ("grid-field-samples", "Samples"),
    "sequence-search": ("field-queries", "Queries"),
}
ROW_HEIGHT = 33  # px, in tables; the header is as high
ROW_MARKER_X, SAMPLE_X, SAMPLE_END_X, DEPTH_X = 12, 110, 286, 1000  # px, in the sample sheet
NAME, SIZE = 1, 5  # columns of 150 pixels in the table of rows
READS = b"@r\nACGT\n+\nIIII\n"
DEFAULTS = {
    "count": 3,
    "evalue": 1e-5,
    "mode": "fast",
    "agreed": True,
    "sizes": [21, 33],
    "colours": ["red"],
}

RESTORED = re.compile(r"Draft of \d\d:\d\d restored\.")

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def whole(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Servers, Line]]:
    """An installation without a runner, so submitted runs stay queued; the line to its portal."""
    folder, port = tmp_path_factory.mktemp("desk"), free_port()
    with pytest.MonkeyPatch.context() as patch, line_to(port) as line:
        patch.setenv("STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL", str(SESSION_S))
        given = {"portal_port": port, "portal_url": f"http://127.0.0.1:{line.port}"}
        with shared(mongod, folder, "api", "portal", workflows=WORKFLOWS, **given) as servers:
            yield servers, line


@pytest.fixture
def desk(whole: tuple[Servers, Line]) -> Servers:
    return whole[0]


@pytest.fixture
def line(whole: tuple[Servers, Line]) -> Iterator[Line]:
    line = whole[1]
    yield line
    line.away = 0.0


@pytest.fixture
def settings(desk: Servers) -> Settings:
    return desk.settings


@pytest.fixture(autouse=True)
def clean(services, actor) -> None:
    """Discard what other tests have left: drafts and runs."""
    for workflow in ("kinds", *BUNDLED):
        services.drafts.discard(actor, workflow)
    for run in services.runs.list(actor, RunFilter()).items:
        services.runs.cancel(actor, run.id)
        services.runs.delete(actor, run.id)


@pytest.fixture
def files(services, actor) -> dict[str, str]:
    """Ids of uploaded files by name."""
    contents = {"a_R1.fastq": READS, "a_R2.fastq": READS * 2, "one.tsv": b"a\n1\n"}
    return {
        name: services.files.register(actor, name, io.BytesIO(content)).id
        for name, content in contents.items()
    }


def open_form(window: Window, workflow: str = "kinds") -> Page:
    page = window.open(f"/new?workflow={workflow}")
    expect(page.locator(".st-key-start button")).to_be_enabled()
    return page


def start(page: Page) -> None:
    page.locator(".st-key-start button").click()


def field_of(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key}")


def input_of(page: Page, key: str) -> Locator:
    return field_of(page, key).locator("input, textarea").first


def clear(page: Page, key: str) -> None:
    input_of(page, key).click()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")


def wait_in_view(page: Page, target: Locator) -> None:
    """Wait until an element is in the viewport, and above the buttons unless it is one of them."""
    expect(target).to_be_visible()
    handle = target.element_handle()
    page.wait_for_function(
        """element => {
            const box = element.getBoundingClientRect();
            const bar = document.querySelector(".st-key-send");
            const end = bar.contains(element) ? innerHeight : bar.getBoundingClientRect().top;
            const wide = box.left >= 0 && box.right <= innerWidth;
            return wide && box.top >= 0 && box.bottom <= end + 1;
        }""",
        arg=handle,
    )


def has_focus(page: Page, target: Locator) -> None:
    """Wait until the focus is in an element."""
    page.wait_for_function(
        "element => element.contains(document.activeElement)", arg=target.element_handle()
    )


Act = Callable[[Page], None]


@dataclass(frozen=True)
class Case:
    """Something that a user does in a form before pressing Start at once."""

    key: str  # of the field
    label: str
    act: Act
    params: dict[str, Any] | None = None  # other than the defaults; None if nothing may start
    options: dict[str, Any] = field(default_factory=dict)  # other fields of the run


def typed(key: str, *texts: str) -> Act:
    """Replace the text of a field; texts after the first are typed after Enter."""

    def act(page: Page) -> None:
        clear(page, key)
        for number, text in enumerate(texts):
            if number:
                page.keyboard.press("Enter")
            page.keyboard.type(text)

    return act


def added(key: str, text: str, *after: str) -> Act:
    """Type into a field as it is, then press keys."""

    def act(page: Page) -> None:
        input_of(page, key).click()
        page.keyboard.type(text)
        for press in after:
            page.keyboard.press(press)

    return act


def pasted(key: str, text: str) -> Act:
    def act(page: Page) -> None:
        clear(page, key)
        page.evaluate("text => navigator.clipboard.writeText(text)", text)
        page.keyboard.press("Control+V")

    return act


def pressed(key: str, *presses: str) -> Act:
    def act(page: Page) -> None:
        input_of(page, key).focus()
        for press in presses:
            page.keyboard.press(press)

    return act


def cell(column: int, text: str) -> Act:
    def act(page: Page) -> None:
        rows = field_of(page, "grid-field-rows").locator(".dvn-scroller")
        type_into(page, rows, row=1, column=column, text=text, new=True)

    return act


def toggled(times: int) -> Act:
    def act(page: Page) -> None:
        for _ in range(times):
            field_of(page, "field-agreed").locator("label").first.click()

    return act


def left(act: Act, key: str = "Tab") -> Act:
    """Leave the field after `act`."""

    def acted(page: Page) -> None:
        act(page)
        page.keyboard.press(key)

    return acted


def entered(act: Act) -> Act:
    """Leave the cell after `act`."""
    return left(act, "Enter")


def in_options(act: Act) -> Act:
    """Open the section of retries and priority before `act`."""

    def opened(page: Page) -> None:
        page.get_by_text("Run options").click()
        act(page)

    return opened


CASES = {
    "text-wrong": Case("field-label", "Label", typed("field-label", "NO")),
    "text-right": Case("field-label", "Label", typed("field-label", "yes"), {"label": "yes"}),
    "text-pasted": Case("field-label", "Label", pasted("field-label", "yes"), {"label": "yes"}),
    "text-left": Case("field-label", "Label", left(typed("field-label", "yes")), {"label": "yes"}),
    "text-left-wrong": Case("field-label", "Label", left(typed("field-label", "NO"))),
    "text-pasted-wrong": Case("field-label", "Label", pasted("field-label", "NO")),
    "integer-left": Case("field-count", "Count", left(typed("field-count", "7")), {"count": 7}),
    "integer-left-wrong": Case("field-count", "Count", left(typed("field-count", "150"))),
    "integer-pasted-wrong": Case("field-count", "Count", pasted("field-count", "seven")),
    "integer-wrong": Case("field-count", "Count", typed("field-count", "150")),
    "integer-fraction": Case("field-count", "Count", typed("field-count", "5.5")),
    "integer-cleared": Case("field-count", "Count", typed("field-count", "")),
    "integer-right": Case("field-count", "Count", typed("field-count", "7"), {"count": 7}),
    "integer-pasted": Case("field-count", "Count", pasted("field-count", " 7\n"), {"count": 7}),
    "integer-keyboard": Case(
        "field-count", "Count", pressed("field-count", "ArrowUp"), {"count": 4}
    ),
    "number-wrong": Case("field-evalue", "E-value", typed("field-evalue", "0,5")),
    "number-right": Case(
        "field-evalue", "E-value", typed("field-evalue", "1e-7"), {"evalue": 1e-7}
    ),
    "number-keyboard": Case(
        "field-evalue", "E-value", pressed("field-evalue", "ArrowUp"), {"evalue": 1e-4}
    ),
    "number-pasted": Case(
        "field-evalue", "E-value", pasted("field-evalue", "1e-7"), {"evalue": 1e-7}
    ),
    "number-pasted-wrong": Case("field-evalue", "E-value", pasted("field-evalue", "1e-7 x")),
    "number-left": Case(
        "field-evalue", "E-value", left(typed("field-evalue", "1e-7")), {"evalue": 1e-7}
    ),
    "number-left-wrong": Case("field-evalue", "E-value", left(typed("field-evalue", "11"))),
    "choice-left": Case("field-mode", "Mode", left(typed("field-mode", "slow")), {}),
    "choice-wrong": Case("field-mode", "Mode", typed("field-mode", "nonsense")),
    "choice-pasted-wrong": Case("field-mode", "Mode", pasted("field-mode", "nonsense")),
    "choice-right": Case("field-mode", "Mode", typed("field-mode", "slow"), {"mode": "slow"}),
    "choice-pasted": Case("field-mode", "Mode", pasted("field-mode", "slower"), {"mode": "slower"}),
    "choice-keyboard": Case(
        "field-mode", "Mode", added("field-mode", "slower", "Enter"), {"mode": "slower"}
    ),
    "choice-optional": Case("field-plan", "Plan", typed("field-plan", "two"), {"plan": "two"}),
    "choice-optional-wrong": Case("field-plan", "Plan", typed("field-plan", "thr")),
    "toggle-wrong": Case("field-agreed", "Agreed", toggled(1)),
    "toggle-right": Case("field-agreed", "Agreed", toggled(2), {}),
    "toggle-keyboard": Case("field-agreed", "Agreed", pressed("field-agreed", "Space")),
    "list-wrong": Case("field-words", "Words", added("field-words", "Bad!")),
    "list-right": Case("field-words", "Words", added("field-words", "one"), {"words": ["one"]}),
    "list-pasted": Case("field-words", "Words", pasted("field-words", "one"), {"words": ["one"]}),
    "list-keyboard": Case(
        "field-words", "Words", typed("field-words", "one", "two"), {"words": ["one", "two"]}
    ),
    "list-left": Case(
        "field-words", "Words", left(added("field-words", "one")), {"words": ["one"]}
    ),
    "list-left-wrong": Case("field-words", "Words", left(added("field-words", "Bad!"))),
    "list-pasted-wrong": Case("field-words", "Words", pasted("field-words", "Bad!")),
    "list-too-long": Case("field-words", "Words", typed("field-words", "one", "two", "three")),
    "list-number-wrong": Case("field-sizes", "Sizes", added("field-sizes", "x")),
    "list-number-right": Case(
        "field-sizes", "Sizes", added("field-sizes", "55"), {"sizes": [21, 33, 55]}
    ),
    "list-number-removed": Case(
        "field-sizes", "Sizes", pressed("field-sizes", "Backspace"), {"sizes": [21]}
    ),
    "list-choice-wrong": Case("field-colours", "Colours", added("field-colours", "purple")),
    "list-choice-right": Case(
        "field-colours", "Colours", added("field-colours", "green"), {"colours": ["red", "green"]}
    ),
    "list-choice-keyboard": Case(
        "field-colours",
        "Colours",
        added("field-colours", "gre", "Enter"),
        {"colours": ["red", "green"]},
    ),
    "object-wrong": Case("field-extra", "Extra", typed("field-extra", "{nonsense")),
    "object-invalid": Case("field-extra", "Extra", typed("field-extra", '{"a":1,"b":2,"c":3}')),
    "object-right": Case(
        "field-extra", "Extra", typed("field-extra", '{"a": [1]}'), {"extra": {"a": [1]}}
    ),
    "object-pasted": Case(
        "field-extra", "Extra", pasted("field-extra", '{\n "a": 1\n}'), {"extra": {"a": 1}}
    ),
    "object-left": Case(
        "field-extra", "Extra", left(typed("field-extra", '{"a": 1}')), {"extra": {"a": 1}}
    ),
    "object-left-wrong": Case("field-extra", "Extra", left(typed("field-extra", "[1]"))),
    "object-pasted-wrong": Case("field-extra", "Extra", pasted("field-extra", "{'a': 1}")),
    "cell-left": Case(
        "grid-field-rows", "Rows", entered(cell(NAME, "yes")), {"rows": [{"name": "yes"}]}
    ),
    "cell-left-wrong": Case("grid-field-rows", "Rows", entered(cell(NAME, "NO"))),
    "cell-wrong": Case("grid-field-rows", "Rows", cell(NAME, "NO")),
    "cell-number-wrong": Case("grid-field-rows", "Rows", cell(SIZE, "99")),
    "cell-right": Case("grid-field-rows", "Rows", cell(NAME, "yes"), {"rows": [{"name": "yes"}]}),
    "cell-number-right": Case("grid-field-rows", "Rows", cell(SIZE, "7"), {"rows": [{"size": 7}]}),
    "file-wrong": Case("field-reads", "Reads", added("field-reads", "nonsense")),
    "file-named": Case("field-reads", "Reads", added("field-reads", "a_R1")),
    "file-keyboard": Case(
        "field-reads", "Reads", added("field-reads", "R1", "Enter"), {"reads": "a_R1.fastq"}
    ),
    "file-pasted-wrong": Case("field-reads", "Reads", pasted("field-reads", "a_R3.fastq")),
    "files-keyboard": Case(
        "field-tables", "Tables", added("field-tables", "one", "Enter"), {"tables": ["one.tsv"]}
    ),
    "files-wrong": Case("field-tables", "Tables", added("field-tables", "nonsense")),
    "name-wrong": Case("run-name", "Name", pasted("run-name", "n" * 201)),
    "name-right": Case("run-name", "Name", typed("run-name", "My run"), {}, {"name": "My run"}),
    "tags-wrong": Case("run-tags", "Tags", pasted("run-tags", "t" * 201)),
    "tags-right": Case("run-tags", "Tags", typed("run-tags", "a", "b"), {}, {"tags": ["a", "b"]}),
    "retries-wrong": Case("run-retries", "Retries", in_options(typed("run-retries", "6"))),
    "retries-right": Case(
        "run-retries", "Retries", in_options(typed("run-retries", "2")), {}, {"retries": 2}
    ),
    "priority-wrong": Case("run-priority", "Priority", in_options(typed("run-priority", "x"))),
    "priority-right": Case(
        "run-priority",
        "Priority",
        in_options(pressed("run-priority", "ArrowUp")),
        {},
        {"priority": 1},
    ),
}


#: Notes the text of a field when the button is pressed, before the scripts of the page see it.
NOTE_PRESS = """key => window.addEventListener("pointerdown", () => {
    window.pressedText = document.querySelector(`.st-key-${key} input`)?.value;
}, { capture: true, once: true })"""
#: Choices keep only a text that is an option: their fields and what each shows otherwise.
CHOICES = {"field-reads": "", "field-plan": "", "field-mode": "fast"}
QUICK = ("integer-wrong", "number-right", "choice-right", "list-right", "cell-right")
LONG = pytest.mark.long


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=LONG) for name in CASES]
)
def test_start_at_once_submits_what_is_shown_or_points_to_the_field(
    window: Window, services, actor, files, name
):
    case = CASES[name]
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_form(window)
    case.act(page)
    page.evaluate(NOTE_PRESS, case.key)
    start(page)
    outcome = page.locator(".st-key-send-notice, .st-key-cancel")
    expect(outcome.first).to_be_visible()
    if case.params is None and "/run?" in page.url:
        # On a busy machine a choice can discard its typed text before the button is pressed.
        assert page.evaluate("window.pressedText") == CHOICES[case.key]
        assert started(page, services, actor).params == DEFAULTS
    elif case.params is None:
        refused(page, services, actor, case.key, case.label)
    else:
        run = started(page, services, actor)
        assert with_names(run.params, files) == DEFAULTS | case.params
        for option, value in case.options.items():
            assert getattr(run, option) == value


def started(page: Page, services, actor) -> Run:
    """Wait until the page of the run is open; return the only run."""
    expect(page).to_have_url(re.compile(r"/run\?id=[0-9a-f]{24}"))
    (run,) = services.runs.list(actor, RunFilter()).items
    return run


def refused(page: Page, services, actor, key: str, label: str) -> None:
    """Wait until the field is in view and named beside the buttons; nothing has started."""
    notice = page.locator(".st-key-send-notice")
    expect(notice).to_contain_text(re.compile(rf"Fix \d+ problems? before starting: .*{label}"))
    target = field_of(page, key)
    has_focus(page, target)
    wait_in_view(page, target)
    wait_in_view(page, notice)
    assert services.runs.list(actor, RunFilter()).items == []


def with_names(params: Any, files: dict[str, str]) -> Any:
    """Return parameters with the names of files in place of their ids."""
    names = {file: name for name, file in files.items()}
    if isinstance(params, dict):
        return {name: with_names(value, files) for name, value in params.items()}
    if isinstance(params, list):
        return [with_names(value, files) for value in params]
    return names.get(params, params) if isinstance(params, str) else params


@LONG
def test_upload_that_has_not_finished_starts_nothing(window: Window, services, actor, tmp_path):
    page = open_form(window)
    page.route("**/uploads/**", lambda route: None)  # never answered
    file = tmp_path / "late.fastq"
    file.write_bytes(READS)
    box = field_of(page, "upload-field-reads")
    expect(box.get_by_role("button", name="Upload a file")).to_be_visible()  # by its script
    box.locator("input.files").set_input_files(file)
    start(page)
    refused(page, services, actor, "field-reads", "Reads")
    expect(page.get_by_text("late.fastq is still being uploaded.")).to_be_visible()
    page.unroute("**/uploads/**")


def paste_rows(page: Page, text: str) -> None:
    def opened() -> bool:
        page.get_by_role("tab", name="Paste from Excel").click()
        page.wait_for_timeout(300)  # until the tab is drawn; a busy page can lose the click
        return input_of(page, "field-samples-paste").is_visible()

    until(opened)
    pasted("field-samples-paste", text)(page)


def use_rows(page: Page, amount: str) -> None:
    """Put the pasted rows into the table, and wait until they are there."""
    field_of(page, "field-samples-use").locator("button").click()
    expect(page.get_by_text(f"{amount}, no problems found.")).to_be_visible()
    expect(input_of(page, "field-samples-paste")).to_have_value("")


def test_pasted_rows_that_are_not_used_start_nothing(window: Window, services, actor) -> None:
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_form(window)
    paste_rows(page, "sample\tdepth\na1\t3\n")
    start(page)
    refused(page, services, actor, "grid-field-samples", "Samples")
    expect(page.get_by_text("The pasted rows are not in the table yet.")).to_be_visible()
    field_of(page, "field-samples-use").locator("button").click()
    start(page)  # at once
    run = started(page, services, actor)
    assert run.params["samples"] == [{"sample": "a1", "depth": 3}]


def paste_cells(page: Page) -> None:
    select_cell(page, row=2)
    page.evaluate("text => navigator.clipboard.writeText(text)", "x1\t\t\t8\nx2\t\t\t9")
    page.keyboard.press("Control+V")


def delete_row(page: Page) -> None:
    select_cell(page, row=2, x=ROW_MARKER_X)
    page.get_by_label("Delete row(s)").click()


def clear_cell(page: Page) -> None:
    select_cell(page, row=2, x=DEPTH_X)
    page.keyboard.press("Delete")


def fill_down(page: Page) -> None:
    table = select_cell(page, row=1).bounding_box()
    mouse, x, y = page.mouse, table["x"] + SAMPLE_END_X - 3, table["y"] + 2 * ROW_HEIGHT - 3
    mouse.move(x, y)
    mouse.down()
    mouse.move(x, y + ROW_HEIGHT / 2, steps=3)
    mouse.move(x, y + 1.5 * ROW_HEIGHT, steps=5)
    mouse.up()


def select_cell(page: Page, row: int, x: int = SAMPLE_X) -> Locator:
    """Click a cell of the sample sheet and wait until it is selected; return the sheet."""
    table = field_of(page, "grid-field-samples").locator(".dvn-scroller")
    position = {"x": x, "y": ROW_HEIGHT * row + ROW_HEIGHT / 2}
    table.hover(position=position)
    table.click(position=position, delay=200)  # ms; the grid ignores shorter clicks
    if x != ROW_MARKER_X:
        expect(field_of(page, "grid-field-samples").locator("[aria-selected=true]")).to_have_count(
            1
        )
    return table


EDITS = {  # of a sheet with the rows a, b, c of depth 1, 2, 3; and its rows afterwards
    paste_cells: [("a", 1), ("x1", 8), ("x2", 9)],
    delete_row: [("a", 1), ("c", 3)],
    clear_cell: [("a", 1), ("b", None), ("c", 3)],
    fill_down: [("a", 1), ("a", 2), ("a", 3)],
}


@LONG
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_start_right_after_an_edit_of_the_sheet_has_the_rows_shown(
    window: Window, services, actor, edit
) -> None:
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_form(window)
    paste_rows(page, "sample\tdepth\na\t1\nb\t2\nc\t3\n")
    use_rows(page, "3 rows")
    edit(page)
    start(page)
    rows = started(page, services, actor).params["samples"]
    assert [(row["sample"], row.get("depth")) for row in rows] == EDITS[edit]


@pytest.mark.parametrize("size", VIEWPORTS, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    "workflow",
    [name if name == "reads-qc" else pytest.param(name, marks=LONG) for name in BUNDLED],
)
def test_refusal_of_an_empty_form_is_in_view(
    chromium: Browser, desk: Servers, services, actor, workflow, size
):
    width, height = size
    page = chromium.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page.goto(f"{desk.settings.public_portal_url}/new?workflow={workflow}")
    button = page.locator(".st-key-start button")
    expect(button).to_be_enabled()
    wait_in_view(page, button)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0
    button.click()
    key, label = FIRST[workflow]
    refused(page, services, actor, key, label)
    wait_in_view(page, button)
    if folder := os.environ.get("RUNDESK_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{workflow}-{width}.png")
    page.close()


HALF_FILLED = "".join(f"s{number}\ta_R1.fastq\t{number + 1}\n" for number in range(12))


def fill(page: Page, name: str = "Half filled") -> None:
    """Fill a form by halves: a sheet of 12 rows, two chosen files, name, tags and more."""
    typed("run-name", name)(page)
    typed("run-tags", "pilot", "first")(page)
    added("field-reads", "R1", "Enter")(page)
    added("field-tables", "one", "Enter")(page)
    page.keyboard.press("Escape")
    typed("field-count", "150")(page)
    typed("field-extra", "{half")(page)
    paste_rows(page, f"sample\tfastq_1\tdepth\n{HALF_FILLED}")
    use_rows(page, "12 rows")


def expect_filled(page: Page, name: str = "Half filled") -> None:
    expect(input_of(page, "run-name")).to_have_value(name)
    for key, values in {
        "run-tags": ["pilot", "first"],
        "field-tables": ["one.tsv"],
    }.items():
        for value in values:
            expect(field_of(page, key)).to_contain_text(value)
    expect(input_of(page, "field-reads")).to_have_value(re.compile("a_R1.fastq"))
    expect(input_of(page, "field-count")).to_have_value("150")
    expect(input_of(page, "field-extra")).to_have_value("{half")
    expect(page.get_by_text("12 rows, no problems found.")).to_be_visible()


def expect_restored(page: Page) -> None:
    expect(page.get_by_text(RESTORED)).to_be_visible()


def saved(services, actor, key: str, value: Any) -> None:
    """Wait until the draft has this value."""
    until(
        lambda: (
            (draft := services.drafts.get(actor, "kinds")) is not None
            and draft.content["typed"].get(key) == value
        )
    )


@pytest.fixture
def filled(window: Window, files) -> Page:
    """A form that was filled by halves."""
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_form(window)
    fill(page)
    return page


def test_reload_restores_the_form_and_start_over_empties_it(filled: Page) -> None:
    page = filled
    page.reload()
    expect_restored(page)
    expect_filled(page)
    added("field-label", "typed")(page)  # and the cursor stays in the field
    page.reload()
    expect_restored(page)
    expect(input_of(page, "field-label")).to_have_value("typed")
    expect_filled(page)

    page.get_by_role("button", name="Start over").click()
    expect(page.get_by_text("restored.")).to_be_hidden()
    for key, value in {
        "run-name": "",
        "field-label": "",
        "field-count": "3",
        "field-extra": "",
    }.items():
        expect(input_of(page, key)).to_have_value(value)
    expect(input_of(page, "field-reads")).to_have_value("")
    expect(field_of(page, "run-tags")).not_to_contain_text("pilot")
    expect(page.get_by_text("12 rows")).to_be_hidden()
    page.reload()
    expect(input_of(page, "field-count")).to_have_value("3")
    expect(page.get_by_text("restored.")).to_be_hidden()


@LONG
def test_second_tab_has_the_form(filled: Page, window: Window) -> None:
    other = window.another()
    other.goto(filled.url)
    expect_restored(other)
    expect_filled(other)
    expect_filled(filled)


def test_back_and_forward_restore_the_form(filled: Page) -> None:
    page = filled
    page.get_by_role("link", name="Files", exact=True).first.click()
    expect(page.get_by_role("heading", name="Files")).to_be_visible()
    page.go_back()
    expect_filled(page)
    page.go_forward()
    expect(page.get_by_role("heading", name="Files")).to_be_visible()
    page.go_back()
    expect_filled(page)


def test_back_after_start_has_the_values_of_the_run(filled: Page, services, actor) -> None:
    page = filled
    typed("field-count", "5")(page)
    typed("field-extra", "{}")(page)
    start(page)
    started(page, services, actor)
    page.go_back()
    expect(input_of(page, "field-count")).to_have_value("5")
    expect(input_of(page, "run-name")).to_have_value("Half filled")
    expect(field_of(page, "run-tags")).to_contain_text("first")
    expect(page.get_by_text("12 rows, no problems found.")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="Half filled")).to_be_visible()


@LONG
def test_restart_of_portal_and_api_restores_the_form(
    filled: Page, window: Window, desk: Servers, services, actor
) -> None:
    page = filled
    added("field-label", "typed")(page)  # and the cursor stays in the field
    saved(services, actor, "field-label", "typed")
    for name in ("portal", "api"):
        desk.stop(name)
    desk.start("portal", "api")
    expect_restored(page)
    expect(input_of(page, "field-label")).to_have_value("typed")
    expect_filled(page)
    window.complaints.clear()  # of the connection that was lost


@LONG
def test_network_that_is_lost_for_longer_than_a_session_restores_the_form(
    filled: Page, window: Window, line: Line, services, actor
) -> None:
    page = filled
    added("field-label", "typed")(page)
    saved(services, actor, "field-label", "typed")
    line.away = float(os.environ.get("RUNDESK_CUT_S", 4 * SESSION_S))
    line.cut()
    # A page of the same session would not have read the draft.
    expect(page.get_by_text(RESTORED)).to_be_visible(timeout=(line.away + 120) * 1000)
    expect(input_of(page, "field-label")).to_have_value("typed")
    expect_filled(page)
    window.complaints.clear()  # of the connection that was lost


def test_damaged_file_of_a_row_is_shown_at_its_row(window: Window, services, actor) -> None:
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    content = gzip.compress(READS * 2000, mtime=0)
    services.files.register(actor, "cut_R1.fastq.gz", io.BytesIO(content[: len(content) // 2]))
    page = open_form(window)
    paste_rows(page, "sample\tfastq_1\na1\tcut_R1.fastq.gz\n")
    use_rows(page, "1 row")
    start(page)
    refused(page, services, actor, "grid-field-samples", "Samples")
    message = page.get_by_text(re.compile(r"Row 1, Reads 1: .*cut_R1\.fastq\.gz.*(damaged|end)"))
    expect(message).to_be_visible()
    expect(page.get_by_text("1 row, 1 problem")).to_be_visible()


@LONG
def test_unknown_columns_of_a_table_are_left_out_in_one_line(
    window: Window, services, actor, tmp_path
) -> None:
    table = tmp_path / "samples.csv"
    table.write_text("sample,depth,Project,Owner\na1,3,p,o\na2,4,p,o\n")
    page = open_form(window)
    field_of(page, "upload-field-samples-table").locator("input.files").set_input_files(table)
    text = "2 columns were left out because the workflow does not use them: “Project”, “Owner”."
    expect(page.get_by_text(text)).to_be_visible()
    expect(page.get_by_text("2 rows, no problems found.")).to_be_visible()
    start(page)
    run = started(page, services, actor)
    assert run.params["samples"] == [{"sample": "a1", "depth": 3}, {"sample": "a2", "depth": 4}]


@LONG
def test_accepted_endings_are_shown_and_preset_in_the_file_chooser(
    window: Window, services, actor, tmp_path
) -> None:
    page = open_form(window)
    box = field_of(page, "upload-field-reads")
    expect(box.get_by_text("Drop a file here: .fastq, .fq (also with .gz)")).to_be_visible()
    expect(box.locator("input.files")).to_have_attribute("accept", ".gz,.fastq,.fq")
    for name, content in {"a.txt": b"x", "UPPER.FASTQ": READS}.items():
        (tmp_path / name).write_bytes(content)
    box.locator("input.files").set_input_files(tmp_path / "a.txt")
    text = "Only files that end in .fastq, .fq (also with .gz) are accepted here."
    expect(box.get_by_text(text)).to_be_visible()
    box.locator("input.files").set_input_files(tmp_path / "UPPER.FASTQ")
    expect(input_of(page, "field-reads")).to_have_value(re.compile("UPPER.FASTQ"))
    start(page)
    (entry,) = started(page, services, actor).inputs
    assert entry.name == "UPPER.FASTQ"
    assert entry.path.endswith("/UPPER.fastq")  # as the schema of the workflow requires


@pytest.mark.parametrize(
    "workflow", [*(pytest.param(name, marks=LONG) for name in BUNDLED), "kinds"]
)
def test_no_regular_expression_is_shown_anywhere_in_a_form(
    window: Window, services, actor, workflow, tmp_path
) -> None:
    page = open_form(window, workflow)
    for summary in page.locator(".stExpander summary").all():
        summary.click()
    wrong = tmp_path / "wrong.docx"
    wrong.write_bytes(b"x")
    for box in page.locator("input.files").all():
        box.set_input_files(wrong)
    for text in page.locator('[class*="st-key-field-"] .stTextInput input').all():
        text.fill("?!")
    start(page)
    expect(page.locator(".st-key-send-notice")).to_contain_text("before starting")
    shown = page.locator("body").inner_text()
    assert not re.search(r"must match|\\\.|\[a-z|\)\$|\^\[", shown, re.IGNORECASE)
