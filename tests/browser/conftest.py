"""A whole desk, and a Chromium before it that notices what it should not see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from services.settings import Settings
from tests.chromium import launched
from tests.servers import Servers, serving

BACKGROUND = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 24, 29)"}  # of the themes
#: Of addresses that leave no browser; the last two are of its own parts, as its PDF viewer is.
INSIDE = {"data", "blob", "about", "chrome", "chrome-extension"}
PATIENCE = 60_000  # ms; far more than any step takes on an idle machine


@dataclass
class Window:
    """A page, and what went wrong in it."""

    page: Page
    home: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.home + path)
        return self.page

    def another(self) -> Page:
        """A second window, watched as well. Close it."""
        window = Window(self.page.context.new_page(), self.home, self.complaints)
        window.watch()
        return window.page

    def watch(self) -> None:
        """Note console errors, and requests that leave this machine."""
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("response", lambda reply: self._answered(reply.status, reply.url))
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on(
            "console",
            lambda line: (
                line.type == "error"
                and not line.text.startswith("Failed to load resource")  # see _answered
                and self.complaints.append(f"console: {line.text}")
            ),
        )

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in INSIDE and parts.hostname != "127.0.0.1":
            self.complaints.append(f"request to another host: {url}")

    def _answered(self, status: int, url: str) -> None:
        if status >= 400:
            self.complaints.append(f"answer {status}: {url}")


@pytest.fixture
def desk(settings: Settings, tmp_path: Path) -> Iterator[Servers]:
    """API, portal and runner over one database."""
    with serving(settings, tmp_path, "api", "portal", "runner") as servers:
        yield servers


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for a module: Playwright has an event loop at work in this thread all the while."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = launched(playwright.chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reader(chromium: Browser) -> Iterator[BrowserContext]:
    """Who has been here before: the browser has compiled the portal's scripts and keeps them."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def window(reader: BrowserContext, desk: Servers) -> Iterator[Window]:
    """A window on the desk's portal; the test fails on anything it should not have seen."""
    window = Window(reader.new_page(), desk.settings.public_portal_url)
    window.watch()
    yield window
    window.page.evaluate("localStorage.clear()")
    for page in reader.pages:
        page.close()
    reader.clear_cookies()
    assert window.complaints == []
