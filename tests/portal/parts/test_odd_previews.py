"""Every odd file of tests/data/odd in a preview: files that workflows accept can be looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ODD = Path(__file__).parents[2] / "data" / "odd"
FILES = [path.relative_to(ODD).as_posix() for path in sorted(ODD.glob("*/*/*"))]


def script(folder, names):
    """Draw the preview of each file in a container of its own."""
    import streamlit as st

    from services.files.registry import kind_of
    from services.models import Result
    from ui.parts import file_viewer

    for name in names:
        path = folder / name
        size = path.stat().st_size
        with st.container(key=name):
            result = Result(path=name, size=size, sha256="", kind=kind_of(name))
            file_viewer.draw(result, path, name)


@pytest.fixture(scope="module")
def page():
    """One page with all previews."""
    given = {"folder": ODD, "names": FILES}
    session = AppTest.from_function(script, default_timeout=120, kwargs=given).run()
    assert not session.exception
    return session


@pytest.mark.parametrize(("number", "name"), [*enumerate(FILES)], ids=FILES)
def test_preview_of_an_odd_file_shows_it_or_gives_the_reason(page, number, name):
    elements = [*page.main[number]]  # also those in containers of it
    shown = any(element.type in ("dataframe", "arrow_data_frame", "code") for element in elements)
    reasons = [element.value for element in elements if element.type == "caption"]
    if "/accepted/" in name and not name.lower().endswith(".xlsx"):
        assert shown, reasons
    else:
        assert shown or any(map(str.strip, reasons))
