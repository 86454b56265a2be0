"""The form of a new run: it starts what it shows, shows what is wrong, and keeps what was typed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from services.models import Run, RunFilter
from services.settings import Settings
from tests.browser.conftest import Window
from tests.helpers.processes import Servers
from tests.helpers.shared_desk import shared
from tests.helpers.tables import type_into

WORKFLOWS = (Path(__file__).parent / "workflows",)
BUNDLED = ("amplicon-variants", "ms-report", "reads-qc", "sequence-search")
VIEWPORTS = ((390, 844), (1280, 800), (1920, 1080))
READS = b"@r\nACGT\n+\nIIII\n"
DEFAULTS = {
    "count": 3,
    "evalue": 1e-5,
    "mode": "fast",
    "agreed": True,
    "sizes": [21, 33],
    "colours": ["red"],
}

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def desk(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """An installation without a runner, so submitted runs stay queued."""
    folder = tmp_path_factory.mktemp("desk")
    with shared(mongod, folder, "api", "portal", workflows=WORKFLOWS) as servers:
        yield servers


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


def in_view(page: Page, target: Locator) -> bool:
    """Whether an element is in the viewport, and above the buttons unless it is one of them."""
    expect(target).to_be_visible()
    inside: bool = target.evaluate(
        """element => {
            const box = element.getBoundingClientRect();
            const bar = document.querySelector(".st-key-send");
            const end = bar.contains(element) ? innerHeight : bar.getBoundingClientRect().top;
            return box.top >= 0 && box.bottom <= end + 1 && box.left >= 0 && box.right <= innerWidth;
        }"""
    )
    return inside


def until_true(page: Page, target: Locator) -> None:
    """Wait until an element is in view: pages scroll to it step by step."""
    expect(target).to_be_visible()
    handle = target.element_handle()
    page.wait_for_function(
        """element => {
            const box = element.getBoundingClientRect();
            const bar = document.querySelector(".st-key-send");
            const end = bar.contains(element) ? innerHeight : bar.getBoundingClientRect().top;
            return box.top >= 0 && box.bottom <= end + 1 && box.left >= 0 && box.right <= innerWidth;
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
    "integer-wrong": Case("field-count", "Count", typed("field-count", "150")),
    "integer-fraction": Case("field-count", "Count", typed("field-count", "5.5")),
    "integer-cleared": Case("field-count", "Count", typed("field-count", "")),
    "integer-right": Case("field-count", "Count", typed("field-count", "7"), {"count": 7}),
    "integer-pasted": Case("field-count", "Count", pasted("field-count", " 7\n"), {"count": 7}),
    "integer-keyboard": Case("field-count", "Count", pressed("field-count", "ArrowUp"), {"count": 4}),
    "number-wrong": Case("field-evalue", "E-value", typed("field-evalue", "0,5")),
    "number-right": Case("field-evalue", "E-value", typed("field-evalue", "1e-7"), {"evalue": 1e-7}),
    "number-keyboard": Case(
        "field-evalue", "E-value", pressed("field-evalue", "ArrowUp"), {"evalue": 1e-4}
    ),
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
    "cell-wrong": Case("grid-field-rows", "Rows", cell(1, "NO")),
    "cell-number-wrong": Case("grid-field-rows", "Rows", cell(2, "99")),
    "cell-right": Case("grid-field-rows", "Rows", cell(1, "yes"), {"rows": [{"name": "yes"}]}),
    "cell-number-right": Case("grid-field-rows", "Rows", cell(2, "7"), {"rows": [{"size": 7}]}),
    "file-wrong": Case("field-reads", "Reads", added("field-reads", "nonsense")),
    "file-named": Case("field-reads", "Reads", added("field-reads", "a_R1")),
    "file-keyboard": Case(
        "field-reads", "Reads", added("field-reads", "R1", "Enter"), {"reads": "a_R1.fastq"}
    ),
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
        "run-priority", "Priority", in_options(pressed("run-priority", "ArrowUp")), {}, {"priority": 1}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_start_at_once_submits_what_is_shown_or_points_to_the_field(
    window: Window, services, actor, files, name
):
    case = CASES[name]
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_form(window)
    case.act(page)
    start(page)
    if case.params is None:
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
    until_true(page, target)
    until_true(page, notice)
    assert services.runs.list(actor, RunFilter()).items == []


def with_names(params: Any, files: dict[str, str]) -> Any:
    """Return parameters with the names of files in place of their ids."""
    names = {file: name for name, file in files.items()}
    if isinstance(params, dict):
        return {name: with_names(value, files) for name, value in params.items()}
    if isinstance(params, list):
        return [with_names(value, files) for value in params]
    return names.get(params, params) if isinstance(params, str) else params
