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
]


def launched(kind: BrowserType, *, whole: bool = False) -> Browser:
    """A Chromium: its headless shell where there is one, or the `whole` of it.

    The shell draws the same, and has no viewer for PDF.
    """
    names = ("RUNDESK_CHROMIUM",) if whole else ("RUNDESK_HEADLESS_SHELL", "RUNDESK_CHROMIUM")
    given = next(filter(None, map(os.environ.get, names)), None)
    program = given or shutil.which("chromium")
    assert program, "RUNDESK_CHROMIUM or a chromium on the PATH is needed"
    return kind.launch(executable_path=program, args=FLAGS)
