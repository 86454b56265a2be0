"""Screenshots of every page, light and dark, for docs/images/: `make screenshots`.

They show a temporary installation that runs the bundled example.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from services import bootstrap
from services.access.actors import local_actor
from services.bootstrap import Services
from services.database.embedded.binary import find
from services.database.embedded.mongod import Mongod
from services.models import Run, RunRequest
from services.settings import HERE, Settings
from tests.browser.conftest import BACKGROUND, STEP_TIMEOUT_MS
from tests.helpers.chromium import launch_chromium
from tests.helpers.processes import serving
from tests.helpers.waiting import free_port, until

IMAGES = HERE / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
PALETTE_COLORS = 128  # a quarter of the bytes without a visible difference
WORKFLOW = "sequence-search"
NAMES = ("Heat-shock proteins", "Isolate 22, best hits", "Pilot library", "Teaching set")


class View(NamedTuple):
    """A page, and a locator for an element that is there once the page is drawn."""

    name: str
    path: str
    sign: Callable[[Page], object]


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with desk() as services:
        with windows(services) as pages:
            shoot(pages, View("welcome", "/", lambda page: page.locator(".st-key-welcome")))
            done, failed = history(services)
            for view in views(done, failed):
                shoot(pages, view)
            live = [start(services, name, tags=["batch 9"]) for name in NAMES]
            shoot(pages, View("runs", "/", lambda page: page.locator(".st-key-runs")))
        for run in live:
            wait_for_end(services, run)
    shutil.copy(IMAGES / "results-light.png", IMAGES / "portal.png")


@contextmanager
def desk() -> Iterator[Services]:
    """Start a complete installation in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        mongod = Mongod(find(os.environ.get("MONGOD", ""), folder / "lib"), folder / "db", port)
        mongod.start()
        settings = Settings(
            data=folder / "data",
            mongodb_uri=Settings(db_port=port).uri,
            api_port=free_port(),
            portal_port=free_port(),
            max_runs=2,
        )
        services = bootstrap.build(settings)
        services.database.create_indexes()
        with serving(settings, folder, "api", "portal", "runner"):
            yield services
        services.close()
        mongod.stop()


def history(services: Services) -> tuple[Run, Run]:
    """Create some finished runs; return one that completed and one that failed."""
    for name in NAMES[:2]:
        wait_for_end(services, start(services, name, tags=["heat shock"]))
    stream = io.BytesIO(b">broken\nMKV<<not a sequence>>\n")
    broken = services.files.register(local_actor(), "contigs.fasta", stream)
    (example,) = services.files.list(local_actor(), text="swissprot").items
    given = {"queries": broken.id, "database": example.id}
    failed = wait_for_end(services, start(services, "Plate 14 contigs", params=given))
    return wait_for_end(services, start(services, NAMES[2], tags=["pilot"])), failed


def start(services: Services, name: str, **given: object) -> Run:
    request = {"workflow": WORKFLOW, "name": name, "example": "params" not in given, **given}
    return services.runs.submit(local_actor(), RunRequest.model_validate(request))


def wait_for_end(services: Services, run: Run) -> Run:
    """Return the run after it has finished."""
    return until(
        lambda: now if (now := services.runs.get(local_actor(), run.id)).state.final else None, 300
    )


def views(done: Run, failed: Run) -> list[View]:
    run = f"/run?id={done.id}"
    return [
        View("new", "/new", lambda page: page.locator(f".st-key-setup-new-{WORKFLOW}")),
        View("form", f"/new?workflow={WORKFLOW}", lambda page: page.locator(".st-key-start")),
        View("sheet", "/new?workflow=reads-qc", lambda page: page.get_by_text("No rows yet.")),
        View("run", run, lambda page: page.locator(".st-key-graph svg > g").first),
        View("jobs", f"{run}&tab=Jobs", lambda page: page.locator(".st-key-jobs")),
        View("log", f"{run}&tab=Log", lambda page: page.locator(".st-key-log code")),
        View(
            "results",
            f"{run}&tab=Results",
            lambda page: page.frame_locator("iframe").get_by_text("of the queries").first,
        ),
        View(
            "settings",
            f"{run}&tab=Parameters",
            lambda page: page.get_by_role("heading", name="Input files"),
        ),
        View(
            "attempts",
            f"/run?id={failed.id}&tab=History",
            lambda page: page.get_by_role("heading", name="State changes"),
        ),
        View("failed", f"/run?id={failed.id}", lambda page: page.locator(".st-key-failure")),
        View("files", "/files", lambda page: page.get_by_role("region", name="Files, newest")),
        View(
            "file",
            f"/files?file={failed.inputs[0].file}",
            lambda page: page.locator(".st-key-file code").last,
        ),
        View("workflows", "/workflows", lambda page: page.locator(".st-key-workflows")),
        View(
            "workflow",
            f"/workflows?name={WORKFLOW}",
            lambda page: page.locator(".st-key-latest"),
        ),
        View(
            "steps",
            f"/workflows?name={WORKFLOW}&about=Steps",
            lambda page: page.locator(".st-key-graph svg > g").first,
        ),
    ]


@contextmanager
def windows(services: Services) -> Iterator[dict[str, Page]]:
    """Open a light and a dark window for the portal."""
    expect.set_options(timeout=STEP_TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright.chromium)
        yield {
            scheme: browser.new_page(
                base_url=services.settings.public_portal_url, viewport=SIZE, color_scheme=scheme
            )
            for scheme in BACKGROUND
        }
        browser.close()


def shoot(pages: dict[str, Page], view: View) -> None:
    """Write the screenshots of one view."""
    for scheme, page in pages.items():
        page.goto(view.path)
        expect(view.sign(page)).to_be_visible()
        expect(page.locator(".stApp[data-test-script-state=notRunning]")).to_be_attached()
        expect(page.get_by_test_id("stSkeleton")).to_have_count(
            0
        )  # placeholders of parts that load
        page.wait_for_timeout(1500)  # for transitions
        picture = Image.open(io.BytesIO(page.screenshot()))
        small = picture.convert("RGB").quantize(PALETTE_COLORS, dither=Image.Dither.NONE)
        small.save(IMAGES / f"{view.name}-{scheme}.png", optimize=True)


if __name__ == "__main__":
    main()
