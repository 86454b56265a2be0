"""A whole desk, and a Chromium before it that notices what it should not see."""

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


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe-core finds wrong with the page as it is now."""
    only = {"resultTypes": ["violations"]}  # all that passes is not told in full: half the time
    found: list[dict[str, Any]] = Axe().run(page, options=only).response["violations"]
    return found


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
        browser = launch_chromium(playwright.chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reader(chromium: Browser) -> Iterator[Window]:
    """Who has been here before: a page that has compiled the portal's scripts, and is watched.

    A new page would compile them once more, which takes longer than most of these tests. It asks
    for reduced motion: what fades is drawn over and over.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    window = Window(context.new_page(), "")
    window.watch()
    yield window
    context.close()


@pytest.fixture
def window(reader: Window, desk: Servers) -> Iterator[Window]:
    """A window on the desk's portal; the test fails on anything it should not have seen."""
    reader.home = desk.settings.public_portal_url
    yield reader
    page = reader.page
    page.evaluate("localStorage.clear(), sessionStorage.clear()")
    page.goto("about:blank")  # what was open there asks for nothing any more
    page.emulate_media(color_scheme="light")
    for other in page.context.pages:
        if other is not page:
            other.close()
    page.context.clear_cookies()
    complaints, reader.complaints[:] = reader.complaints[:], []
    assert complaints == []
