"""The example front end, a page of another origin that uses the API."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from services.access.actors import local_actor
from services.bootstrap import build
from services.models import Scope, TokenRequest
from services.settings import HERE
from tests.helpers.folder_site import folder_site
from tests.helpers.shared_desk import shared

PAGES = HERE / "docs" / "examples"
EXAMPLE = HERE / "workflows" / "sequence-search" / "example"


@pytest.fixture(scope="module")
def site():
    """Another site that serves the example page."""
    with folder_site(PAGES) as address:
        yield address


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory, site):
    """An installation with tokens whose API may be used by pages of that site."""
    folder = tmp_path_factory.mktemp("desk")
    given = {"sign_in_by": "tokens", "wall": "available", "cors_origins": (site,)}
    with shared(mongod, folder, "api", "runner", **given) as servers:
        yield servers


@pytest.fixture(scope="module")
def token(desk):
    services = build(desk.settings)
    request = TokenRequest(name="front end", owner="ann", scope=Scope.SUBMIT)
    made = services.tokens.create(local_actor(), request)
    services.close()
    return made.secret


@pytest.fixture
def page(chromium):
    page = chromium.new_page()
    page.set_default_timeout(60_000)
    yield page
    page.close()


def fill(page, desk, site, token):
    page.goto(f"{site}/front-end.html")
    page.get_by_label("Server").fill(desk.settings.public_api_url)
    page.get_by_label("Token").fill(token)
    (queries,) = EXAMPLE.glob("queries.*")
    (database,) = (file for file in EXAMPLE.glob("*.fasta*") if file != queries)
    page.get_by_label("Queries").set_input_files(queries)
    page.get_by_label("Database").set_input_files(database)
    return page.get_by_role("button", name="Search")


def test_page_uploads_submits_follows_and_shows_the_report(page, desk, site, token):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: line.type == "error" and errors.append(line.text))
    fill(page, desk, site, token).click()
    status = page.get_by_role("status")
    expect(status).to_have_text(re.compile("INITIALIZING|RUNNING|COMPLETE"))
    expect(status).to_have_text("COMPLETE")
    assert page.get_by_role("progressbar").evaluate("bar => bar.value === bar.max")
    report = page.frame_locator("iframe[title=Report]")
    expect(report.locator("h1").first).to_be_visible()
    assert errors == []


def test_page_shows_the_error_of_the_api(page, desk, site):
    fill(page, desk, site, "rdk_" + "A" * 43).click()
    expect(page.get_by_role("status")).to_contain_text("Invalid token")


def test_page_of_an_unlisted_origin_cannot_read_the_api(page, desk, site, token):
    fill(page, desk, site.replace("127.0.0.1", "localhost"), token).click()
    expect(page.get_by_role("status")).to_contain_text("Failed to fetch")
