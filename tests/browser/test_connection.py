"""Lost connections to the portal, which has a base path here, and to the API."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from services.models import Run
from services.settings import Settings
from tests.browser.conftest import Window, violations
from tests.helpers.flaky_proxy import Line, line_to
from tests.helpers.processes import Servers
from tests.helpers.scenes import Scenes
from tests.helpers.shared_desk import shared
from tests.helpers.waiting import free_port, until

PORTAL_LOST = "No connection to Rundesk. Retrying… Your entries are kept."
API_LOST = "The API is not responding: uploads, downloads and reports are unavailable. Retrying…"
RESTORED = "Connected again."
NOTICE_MS = 30_000  # until a lost connection is shown: 3 s, and more on a busy machine
FORM = "/new?workflow=sequence-search"
VIEWPORTS = [(390, 844), (1280, 800), (1920, 1080)]
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"><rect width="80" height="40"/>'
    "</svg>"
)
#: What Streamlit logs about a lost connection.
UNAVOIDABLE = re.compile(
    r"console: (WebSocket connection to|Client Error|Streamlit server is not responding"
    r"|Connection timed out)"
)
DIALOG_LOGGED = "console: Streamlit server is not responding"  # when Streamlit opens its dialog
HIDE = """hidden => {
    Object.defineProperty(document, 'visibilityState',
        { configurable: true, get: () => hidden ? 'hidden' : 'visible' });
    document.dispatchEvent(new Event('visibilitychange'));
}"""
#: A WebSocket that never connects.
BLOCK_SOCKETS = """() => {
    window.WebSocket = class extends EventTarget { readyState = 0; close() {} };
}"""


@pytest.fixture(scope="module")
def whole(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Servers, Line]]:
    """An installation for all these tests, and the connection from the browser to its portal."""
    port = free_port()
    with line_to(port) as line:
        address = f"http://127.0.0.1:{line.port}/desk"
        given = {"portal_port": port, "portal_url": address}
        with shared(mongod, tmp_path_factory.mktemp("desk"), "api", "portal", **given) as servers:
            yield servers, line


@pytest.fixture
def desk(whole: tuple[Servers, Line]) -> Servers:
    return whole[0]


@pytest.fixture
def settings(desk: Servers) -> Settings:
    return desk.settings


@pytest.fixture
def line(whole: tuple[Servers, Line]) -> Iterator[Line]:
    line = whole[1]
    yield line
    line.away = 0.0


@pytest.fixture
def page(window: Window) -> Iterator[Page]:
    """The watched page; what Streamlit logs about a lost connection is not an error."""
    page = window.page
    size = page.viewport_size
    yield page
    page.set_viewport_size(size)
    window.complaints[:] = [one for one in window.complaints if not UNAVOIDABLE.match(one)]


@pytest.fixture
def complete(services, actor) -> Run:
    """A completed run with a report."""
    results = {"report.html": "<h1>All reads</h1>", "hits.tsv": "query\thits\nq1\t3\n"}
    return Scenes(services, actor).complete(results)


def bar(page: Page) -> Locator:
    return page.locator(".rundesk-connection")


def open_form(window: Window) -> Locator:
    """Open a form; return its field for the name of the run."""
    page = window.open(FORM)
    expect(page.locator(".st-key-upload-field-queries .choose")).to_be_visible()
    return page.locator(".st-key-run-name input")


def start_until_refused(page: Page) -> None:
    """Start the run of an incomplete form; a click while the page is drawn again may be lost."""

    def refused() -> bool:
        page.locator(".st-key-start button").click()
        page.wait_for_timeout(1000)
        return page.get_by_text("Required.").first.is_visible()

    until(refused)


def open_results(window: Window, run: Run) -> Locator:
    """Open the results of a run; return the body of its report."""
    page = window.open(f"/run?id={run.id}&tab=Results")
    return page.frame_locator(".st-key-result-0 iframe").locator("body")


def suspend(processes: list[psutil.Process]) -> None:
    for process in processes:
        process.suspend()


def resume(processes: list[psutil.Process]) -> None:
    for process in processes:
        process.resume()


def health_checks(page: Page) -> list[str]:
    """Return a list to which the paths of the health checks of the page are added."""
    paths: list[str] = []

    def note(url: str) -> None:
        if match := re.search(r":[0-9]+(/(desk/_stcore/health|healthz).*)", url):
            paths.append(match[1])

    page.on("request", lambda request: note(request.url))
    return paths


@pytest.mark.parametrize(("width", "height"), VIEWPORTS)
def test_bar_is_in_view_on_a_scrolled_form_when_the_portal_is_cut(
    window, page, line, width, height
):
    page.set_viewport_size({"width": width, "height": height})
    name = open_form(window)
    name.fill("typed before")
    main = page.get_by_test_id("stMain")
    main.evaluate("main => main.scrollTo(0, main.scrollHeight)")
    assert main.evaluate("main => main.scrollTop") > 0
    before = page.locator(".st-key-start").bounding_box()
    line.away = 4.0
    line.cut()
    expect(bar(page)).to_have_text(PORTAL_LOST, timeout=NOTICE_MS)
    box = bar(page).bounding_box()
    assert (box["x"], box["y"], box["width"]) == (0, 0, width)
    assert box["height"] < 60
    header = page.locator(".stAppHeader").bounding_box()
    assert header["y"] == pytest.approx(box["height"], abs=1)
    assert main.bounding_box()["height"] == pytest.approx(height - box["height"], abs=1)
    assert page.locator(".st-key-start").bounding_box() == pytest.approx(before, abs=1)

    expect(bar(page)).to_have_text(RESTORED)
    expect(bar(page)).to_be_empty()
    expect(name).to_have_value("typed before")
    assert main.bounding_box()["height"] == height
    assert page.locator(".st-key-start").bounding_box() == pytest.approx(before, abs=1)
    start_until_refused(page)


@pytest.mark.long
def test_restarted_portal_is_reconnected_without_the_dialog_of_streamlit(window, page, desk):
    open_form(window)
    desk.stop("portal")
    expect(bar(page)).to_have_text(PORTAL_LOST, timeout=NOTICE_MS)
    until(
        lambda: (
            page.wait_for_timeout(100)
            or any(one.startswith(DIALOG_LOGGED) for one in window.complaints)
        )
    )
    page.wait_for_timeout(300)
    assert page.get_by_role("dialog").count() == 0
    assert bar(page).inner_text() == PORTAL_LOST
    desk.start("portal")
    expect(bar(page)).to_have_text(RESTORED)
    start_until_refused(page)


@pytest.mark.long
def test_frozen_portal_is_noticed(window, page, desk):
    open_form(window)
    processes = desk.processes("portal")
    suspend(processes)
    try:
        expect(bar(page)).to_have_text(PORTAL_LOST, timeout=NOTICE_MS)
    finally:
        resume(processes)
    expect(bar(page)).to_be_empty()


@pytest.mark.long
def test_page_that_does_not_reconnect_offers_to_reload(window, page, line):
    name = open_form(window)
    page.evaluate(BLOCK_SOCKETS)
    line.cut()
    button = bar(page).get_by_role("button", name="Reload the page")
    expect(button).to_be_visible()
    with page.expect_navigation():
        button.click()
    expect(name).to_be_enabled()
    expect(bar(page)).to_be_empty()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_api_alone_is_noticed_and_downloads_are_not_opened(window, page, desk, complete, scheme):
    page.emulate_media(color_scheme=scheme)
    report = open_results(window, complete)
    expect(report).to_contain_text("All reads")
    page.wait_for_timeout(2500)  # until a check of the API has found the report open
    desk.kill("api")
    try:
        expect(bar(page)).to_have_text(API_LOST, timeout=NOTICE_MS)
        expect(report).to_contain_text("All reads")  # it was loaded before
        serious = [one for one in violations(page) if one["impact"] in ("serious", "critical")]
        assert serious == []

        address = page.url
        download = page.locator(".st-key-download-0 a")
        for button in ("left", "middle"):
            download.click(button=button)
            expect(bar(page)).to_have_class(re.compile("emphasized"))
            expect(bar(page)).not_to_have_class(re.compile("emphasized"))
            expect(bar(page)).to_have_text(API_LOST)
        link = download.get_attribute("href")
        assert page.evaluate("link => window.open(link)", link) is None  # as tables open links
        assert page.url == address
        assert page.context.pages == [page]
    finally:
        desk.start("api")
    expect(bar(page)).to_have_text(RESTORED)
    expect(bar(page)).to_be_empty()
    with page.expect_download() as downloaded:
        download.click()
    assert downloaded.value.path().read_text() == "<h1>All reads</h1>"


@pytest.mark.long
def test_report_opened_while_the_api_is_away_shows_a_sentence_and_loads_later(
    window, page, desk, complete
):
    desk.kill("api")
    try:
        report = open_results(window, complete)
        expect(report).to_contain_text("This file is unavailable because the API is not responding")
        expect(bar(page)).to_have_text(API_LOST)
    finally:
        desk.start("api")
    expect(report).to_contain_text("All reads")
    expect(bar(page)).to_be_empty()


@pytest.mark.long
def test_picture_opened_while_the_api_is_away_loads_later(window, page, desk, services, actor):
    run = Scenes(services, actor).complete({"plot.svg": PICTURE})
    desk.kill("api")
    try:
        open_results(window, run)
        image = page.locator(".st-key-result-0 button.picture img")
        expect(image).to_have_js_property("naturalWidth", 0)
        expect(bar(page)).to_have_text(API_LOST)
    finally:
        desk.start("api")
    expect(image).to_have_js_property("naturalWidth", 80)


@pytest.mark.long
@pytest.mark.parametrize("scrolled", [True, False])
def test_bar_leaves_the_field_with_the_focus_in_view(window, page, desk, scrolled):
    page.set_viewport_size({"width": 390, "height": 600})
    open_form(window)
    header, main = page.locator(".stAppHeader"), page.get_by_test_id("stMain")
    field = page.locator(".st-key-field-max_hits input" if scrolled else ".st-key-back button")
    field.focus()
    if scrolled:  # to the top of what is in view
        top = header.bounding_box()["height"] + 4
        main.evaluate("(main, by) => main.scrollBy(0, by)", field.bounding_box()["y"] - top)
        assert field.bounding_box()["y"] == pytest.approx(top, abs=1)
    desk.kill("api")
    try:
        expect(bar(page)).to_have_text(API_LOST, timeout=NOTICE_MS)
        expect(field).to_be_focused()
        covered, box = header.bounding_box(), field.bounding_box()
        assert covered["y"] == pytest.approx(bar(page).bounding_box()["height"], abs=1)
        assert covered["y"] + covered["height"] <= box["y"] < 600 - box["height"]
    finally:
        desk.start("api")
    expect(bar(page)).to_be_empty()


@pytest.mark.long
def test_frozen_api_is_noticed_on_a_page_with_uploads(window, page, desk):
    window.open("/files")
    expect(page.locator(".st-key-upload-files .choose")).to_be_visible()
    processes = desk.processes("api")
    suspend(processes)
    try:
        expect(bar(page)).to_have_text(API_LOST, timeout=NOTICE_MS)
    finally:
        resume(processes)
    expect(bar(page)).to_be_empty()


@pytest.mark.long
def test_page_checks_the_api_only_for_files_and_nothing_while_hidden(window, page, complete):
    paths = health_checks(page)
    portal, api = "/desk/_stcore/health", "/healthz"
    window.open("/workflows")
    expect(page.get_by_role("heading", name="Workflows")).to_be_visible()
    paths.clear()
    page.wait_for_timeout(5000)
    assert 2 <= len(paths) <= 3
    assert set(paths) == {portal}

    open_results(window, complete)
    expect(page.locator(".st-key-download-0 a")).to_be_visible()
    paths.clear()
    page.wait_for_timeout(5000)
    assert 2 <= paths.count(portal) <= 3
    assert 2 <= paths.count(api) <= 3

    page.evaluate(HIDE, True)
    paths.clear()
    page.wait_for_timeout(5000)
    assert paths == []
    page.evaluate(HIDE, False)
    page.wait_for_timeout(500)
    assert sorted(paths) == [portal, api]


@pytest.mark.long
def test_offline_browser_is_noticed_at_once(window, page):
    open_form(window)
    page.context.set_offline(True)
    try:
        expect(bar(page)).to_have_text(PORTAL_LOST, timeout=NOTICE_MS)
    finally:
        page.context.set_offline(False)
    expect(bar(page)).to_have_text(RESTORED)
    expect(bar(page)).to_be_empty()
