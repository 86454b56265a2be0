"""Chromium for the tests that need a browser."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, BrowserType

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--js-flags=--no-opt --no-maglev",  # no page is open for so long that optimizing repays
]


def launched(kind: BrowserType) -> Browser:
    """The Chromium that RUNDESK_CHROMIUM names, or that of the PATH; its headless shell first."""
    there = map(shutil.which, ("chromium-headless-shell", "chromium"))
    program = os.environ.get("RUNDESK_CHROMIUM") or next(filter(None, there), None)
    assert program, "RUNDESK_CHROMIUM or a chromium on the PATH is needed"
    return kind.launch(executable_path=program, args=FLAGS)
