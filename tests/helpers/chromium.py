"""Chromium for tests that need a browser."""

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
    "--js-flags=--no-opt --no-maglev",  # pages are too short-lived for it
]


def launch_chromium(kind: BrowserType, *flags: str) -> Browser:
    """Launch the Chromium at RUNDESK_CHROMIUM, or the headless shell or Chromium on the PATH."""
    programs = map(shutil.which, ("chromium-headless-shell", "chromium"))
    program = os.environ.get("RUNDESK_CHROMIUM") or next(filter(None, programs), None)
    assert program, "set RUNDESK_CHROMIUM, or install chromium on the PATH"
    return kind.launch(executable_path=program, args=[*FLAGS, *flags])
