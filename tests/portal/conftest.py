"""The portal without a browser: Streamlit's AppTest over the real services."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from services import single_flight
from services.bootstrap import Services
from services.models import Actor
from services.settings import HERE, Settings
from tests.helpers.desk import environment
from tests.helpers.scenes import Scenes
from ui import context

WORKFLOWS = Path(__file__).parent / "workflows"
Open = Callable[..., AppTest]


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """A desk that also has the workflows of this folder, which a test may change."""
    folder = shutil.copytree(WORKFLOWS, tmp_path / "workflows")
    return replace(settings, workflows=(folder,))


@pytest.fixture(scope="session", autouse=True)
def components() -> Iterator[None]:
    """Each session of AppTest looks through all packages for components; once is enough."""
    with pytest.MonkeyPatch.context() as patch:
        found = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", found)
        yield


@pytest.fixture
def portal(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens pages of the portal by name and query, each in a session of its own."""
    monkeypatch.setattr(single_flight, "CACHE_SECONDS", 0.0)  # tests look faster than people
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    context.services.clear()

    def open_page(page: str = "runs", **query: str | list[str]) -> AppTest:
        session = AppTest.from_file(HERE / "portal.py", default_timeout=30)
        session._page_hash = calc_hash(page)  # switch_page() knows pages in files only
        session.query_params.update(query)
        return session.run()

    yield open_page
    context.services().close()
    context.services.clear()


@pytest.fixture
def scenes(services: Services, actor: Actor) -> Scenes:
    return Scenes(services, actor)
