"""Pages of runs in every state, none of which is executed: accessibility and requests."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from services.errors import NotFound
from services.models import Cause, CauseKind
from services.settings import HERE, Settings
from tests.browser.conftest import BACKGROUND, violations
from tests.helpers.processes import Servers
from tests.helpers.scenes import Scenes
from tests.helpers.shared_desk import shared
from tests.helpers.waiting import until

WORKFLOWS = HERE / "tests" / "portal" / "workflows"
#: Runs a script or loads a foreign resource wherever it is not shown as text.
HOSTILE = (
    '<img src="http://evil.example/x.png" onerror="hacked=1"> ![x](http://evil.example/y.png)'
    " <script>hacked=1</script> [a](javascript:hacked=1)"
)
PDF = (
    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\n"
    "trailer<</Root 1 0 R>>\n%%EOF\n"
)
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="400">'
    '<script>parent.hacked=1</script><image href="http://evil.example/z.png"/></svg>'
)
#: A report that tries forbidden actions and shows the outcome of each.
ESCAPING = """<body><script>
const tried = {
  cookie: () => document.cookie, storage: () => localStorage.length,
  page: () => parent.document.title, opener: () => open("/").document,
};
const results = Object.entries(tried).map(([name, act]) => {
  try { return `${name}: ${act()}` } catch { return `${name}: refused` }
});
const requests = ["PORTAL/", "API/api/v1/runs", "http://evil.example/"].map((url) =>
  fetch(url).then(() => `${url}: answered`, () => `${url}: refused`));
Promise.all(requests).then((all) => {
  document.body.textContent = [...results, ...all].join(", ");
});
</script><img src="http://evil.example/pixel.png"></body>"""
#: Streamlit has drawn everything and no transition is running.
SETTLED = """() => document.querySelector('.stApp[data-test-script-state=notRunning]')
    && !document.querySelector('[data-stale=true]')
    && document.getAnimations().every(
        one => one.playState !== 'running' || one.effect.getTiming().iterations === Infinity)"""
#: The opacity of an element that Streamlit fades because it will be drawn again.
FADED = """part => { part.dataset.stale = 'true'; part.style.opacity = '.33'
    return getComputedStyle(part).opacity }"""
VIEWER = re.compile("chrome-extension://[a-z]+/index.html")  # of Chromium, for PDF
SERIOUS = ("serious", "critical")
TABS = ("Jobs", "Log", "Results", "Parameters", "History")  # after the first one
FOCUSED = "document.activeElement.getAttribute('aria-label') || document.activeElement.tagName"


@pytest.fixture(scope="module")
def desk(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """API and portal for all these tests; no run is executed."""
    folder = tmp_path_factory.mktemp("desk")
    with shared(mongod, folder, "api", "portal", workflows=(WORKFLOWS,)) as servers:
        yield servers


@pytest.fixture
def settings(desk: Servers) -> Settings:
    return desk.settings


def serious_violations(page: Page) -> list[str]:
    """Return the serious accessibility violations of the page."""
    page.wait_for_function(SETTLED)
    return [
        f"{page.url}: {one['id']}: {', '.join(node['html'][:120] for node in one['nodes'][:3])}"
        for one in violations(page)
        if one["impact"] in SERIOUS
    ]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_views_have_no_serious_violation(window, services, actor, scheme):
    window.page.emulate_media(color_scheme=scheme)
    scenes = Scenes(services, actor)
    results = {
        "report.html": "<h1>Report</h1>",
        "hits.tsv": f"a\t{HOSTILE}\n1\t{HOSTILE}\n",
        "<img src=x onerror=hacked=1>.txt": HOSTILE,
    }
    done = scenes.complete(results, name=HOSTILE, tags=[HOSTILE[:60]], console=HOSTILE)
    cause = Cause(kind=CauseKind.RULE_FAILED, message=HOSTILE, hint=HOSTILE, log=HOSTILE)
    failed = scenes.failed(cause, name="failed")
    waiting = scenes.waiting(name="waiting")
    file = services.files.register(actor, f"{HOSTILE[:100]}.txt", io.BytesIO(HOSTILE.encode()))
    views = {
        "/": window.page.get_by_text(re.compile(r"^[3-9] runs\.")),
        "/new": window.page.get_by_role("heading", name="New run"),
        "/new?workflow=sequence-search": window.page.locator(".st-key-start"),
        "/new?workflow=shapes": window.page.locator(".st-key-start"),
        f"/files?file={file.id}": window.page.locator(".st-key-file"),
        "/workflows": window.page.get_by_role("heading", name="Workflows"),
        "/workflows?name=sequence-search": window.page.get_by_role("tab", name="Parameters"),
        "/workflows?name=shapes&about=Steps": window.page.get_by_text("1 job in total."),
        "/run?id=none": window.page.get_by_text("Run not found"),
        f"/run?id={failed.id}": window.page.locator(".st-key-failure"),
        f"/run?id={done.id}": window.page.get_by_text("4 of 4 jobs"),
    }
    serious = []
    for path, sign in views.items():
        window.open(path)
        expect(sign).to_be_visible()
        expect(window.page.locator(".stApp")).to_have_css("background-color", BACKGROUND[scheme])
        serious += serious_violations(window.page)
        assert not window.page.evaluate("'hacked' in window"), path
    for tab in TABS:
        window.page.get_by_role("tab", name=tab).click()
        expect(window.page).to_have_url(re.compile(f"tab={tab}"))
        serious += serious_violations(window.page)
        assert not window.page.evaluate("'hacked' in window"), tab
    services.runs.cancel(actor, waiting.id)  # else a scene of another test would claim it
    assert serious == []


def test_stale_elements_stay_readable(window):
    page = window.open("/new?workflow=shapes")
    text = page.locator(".stElementContainer", has_text="What goes in.")
    expect(text).to_be_visible()
    page.wait_for_function(SETTLED)
    assert text.evaluate(FADED) == "1"


def test_report_cannot_reach_anything_outside_itself(window, services, actor, settings):
    text = ESCAPING.replace("PORTAL", settings.public_portal_url)
    text = text.replace("API", settings.public_api_url)
    run = Scenes(services, actor).complete({"report.html": text})
    blocked = []
    window.page.on("requestfailed", lambda one: blocked.append(f"{one.failure} {one.url}"))
    page = window.open(f"/run?id={run.id}&tab=Results")
    body = page.frame_locator(".st-key-result-0 iframe").locator("body")
    expect(body).to_contain_text("evil.example/: refused")
    assert body.inner_text().count(": refused") == 7, body.inner_text()
    assert len(page.context.pages) == 1
    # Nothing was sent: the browser reports blocked requests in its console and as failed.
    complaints = [one for one in window.complaints if not one.startswith("console: ")]
    assert complaints == ["request to another host: http://evil.example/pixel.png"]
    assert "csp http://evil.example/pixel.png" in blocked
    window.complaints.clear()


@pytest.mark.long  # needs the whole of Chromium
def test_pdf_is_shown_in_the_browsers_own_viewer(window, services, actor):
    run = Scenes(services, actor).complete({"figure.pdf": PDF})
    page = window.open(f"/run?id={run.id}&tab=Results")
    assert page.evaluate("navigator.pdfViewerEnabled"), "RUNDESK_CHROMIUM names its headless shell"
    expect(page.locator(".st-key-result-0 iframe")).to_be_visible()
    until(lambda: page.wait_for_timeout(50) or any(map(VIEWER.match, _frames(page))))


def _frames(page):
    return [frame.url for frame in page.frames]


def test_picture_is_enlarged_and_reduced(window, services, actor):
    run = Scenes(services, actor).complete({"plot.svg": PICTURE})
    page = window.open(f"/run?id={run.id}&tab=Results")
    button = page.locator(".st-key-result-0 button.picture")
    image = button.get_by_role("img", name="results/plot.svg")
    expect(image).to_have_js_property("complete", True)
    small = image.evaluate("image => image.width")
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    assert image.evaluate("image => image.width") > 1.5 * small > 0
    button.press("Enter")
    assert image.evaluate("image => image.width") == small


def test_run_is_opened_by_keyboard_alone(window, services, actor):
    run = Scenes(services, actor).complete(name="reached by keys")
    page = window.open("/")
    expect(page.locator(".st-key-runs canvas").first).to_be_visible()
    reach = page.get_by_role("combobox", name="Open a run")
    expect(reach).to_be_attached()
    page.get_by_placeholder("Search name, tag or workflow").focus()
    passed = []
    while "Open a run" not in passed and len(passed) < 20:
        page.keyboard.press("Tab")
        passed.append(page.evaluate(FOCUSED))
    assert passed[-1] == "Open a run", passed
    assert "CANVAS" not in passed  # a focused table would open a row by itself
    page.keyboard.type("by keys")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"id={run.id}"))


def test_run_is_renamed_downloaded_and_deleted(window, services, actor):
    run = Scenes(services, actor).complete({"hits.tsv": HOSTILE}, tags=["pilot"])
    page = window.open(f"/run?id={run.id}&tab=Results")
    more = page.locator(".st-key-more button")
    more.click()
    page.get_by_role("menuitem", name="Rename or tag").click()
    page.locator(".st-key-new-name input").fill(HOSTILE)
    page.locator(".st-key-rename-yes button").click()
    expect(page.get_by_role("heading", name=re.compile("^<img src="))).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()

    address = page.get_by_role("link", name="Download all").get_attribute("href")
    content = page.context.request.get(address).body()
    (name,) = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert name.endswith("/results/hits.tsv")

    more.click()
    page.get_by_role("menuitem", name="Delete").click()
    page.locator(".st-key-delete-yes button").click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    expect(page.get_by_test_id("stToast")).to_contain_text("Deleted")
    with pytest.raises(NotFound):
        services.runs.get(actor, run.id)


def test_readme_loads_nothing_from_other_hosts(window, services):
    page = window.open("/workflows?name=shapes")
    expect(page.get_by_role("link", name="outside")).to_be_visible()
    expect(page.get_by_role("link", name="a link")).to_be_visible()
    expect(page).to_have_title(re.compile("Shapes"))
    assert page.locator(".stMain img").count() == 0
