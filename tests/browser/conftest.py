"""A complete installation, and a Chromium that records errors and unexpected requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from services.settings import Settings
from tests.helpers.chromium import launch_chromium
from tests.helpers.processes import Servers, serving

BACKGROUND = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 24, 29)"}  # of the themes
#: Schemes of addresses inside the browser; the last two belong to parts such as its PDF viewer.
INTERNAL_SCHEMES = {"data", "blob", "about", "chrome", "chrome-extension"}
#: Console errors that a page cannot avoid: those of responses (see _check_response), and that of
#: Streamlit when a field changes while the connection is lost.
UNAVOIDABLE = ("Failed to load resource", "Cannot send rerun backMessage when disconnected")
STEP_TIMEOUT_MS = 60_000  # far more than any step takes on an idle machine


@dataclass
class Window:
    """A page, and the errors that occurred in it."""

    page: Page
    home: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.home + path)
        return self.page

    def another(self) -> Page:
        """Open a second window, which is also watched. The test closes it."""
        window = Window(self.page.context.new_page(), self.home, self.complaints)
        window.watch()
        return window.page

    def watch(self) -> None:
        """Record console errors, failed requests and requests to other hosts."""
        self.page.on("request", lambda request: self._check_request(request.url))
        self.page.on("response", lambda reply: self._check_response(reply.status, reply.url))
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on(
            "console",
            lambda line: (
                line.type == "error"
                and not line.text.startswith(UNAVOIDABLE)
                and self.complaints.append(f"console: {line.text}")
            ),
        )

    def _check_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in INTERNAL_SCHEMES and parts.hostname != "127.0.0.1":
            self.complaints.append(f"request to another host: {url}")

    def _check_response(self, status: int, url: str) -> None:
        if status >= 400:
            self.complaints.append(f"answer {status}: {url}")


def violations(page: Page) -> list[dict[str, Any]]:
    """Return the accessibility violations that axe-core finds in the page."""
    only = {"resultTypes": ["violations"]}  # without the details of passed rules: half the time
    result: list[dict[str, Any]] = Axe().run(page, options=only).response["violations"]
    return result


@pytest.fixture
def desk(settings: Settings, tmp_path: Path) -> Iterator[Servers]:
    """API, portal and runner over one database."""
    with serving(settings, tmp_path, "api", "portal", "runner") as servers:
        yield servers


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for a module: Playwright keeps an event loop running in this thread."""
    expect.set_options(timeout=STEP_TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright.chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reader(chromium: Browser) -> Iterator[Window]:
    """A watched page that has compiled the portal's scripts before.

    A new page would compile them again, which takes longer than most of these tests. Reduced motion
    saves the repeated drawing of fading elements.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(STEP_TIMEOUT_MS)
    window = Window(context.new_page(), "")
    window.watch()
    yield window
    context.close()


@pytest.fixture
def window(reader: Window, desk: Servers) -> Iterator[Window]:
    """A window for the portal; the test fails on any error recorded in it."""
    reader.home = desk.settings.public_portal_url
    yield reader
    page = reader.page
    page.evaluate("localStorage.clear(), sessionStorage.clear()")
    page.goto("about:blank")  # stops all requests of the page
    page.emulate_media(color_scheme="light")
    for other in page.context.pages:
        if other is not page:
            other.close()
    page.context.clear_cookies()
    complaints, reader.complaints[:] = reader.complaints[:], []
    assert complaints == []
