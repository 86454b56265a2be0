"""The theme that is sent is Streamlit's own, gathered once."""

from __future__ import annotations

import pytest
from streamlit import config
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import app_session

from services.settings import HERE
from ui.server import theme


@pytest.fixture
def ours(monkeypatch):
    """Streamlit with the options of the desk, of which our module knows nothing yet."""
    monkeypatch.chdir(HERE)
    config.get_config_options(force_reparse=True)
    monkeypatch.setattr(theme, "made", {})
    monkeypatch.setattr(app_session, "_populate_theme_msg", theme.gather)
    yield
    monkeypatch.undo()
    config.get_config_options(force_reparse=True)


def message():
    """A theme as Streamlit's sessions put it together."""
    whole = ForwardMsg()
    parts = whole.new_session.custom_theme
    put = app_session._populate_theme_msg
    put(parts)
    for part, section in (
        (parts.light, "theme.light"),
        (parts.dark, "theme.dark"),
        (parts.sidebar, "theme.sidebar"),
        (parts.light.sidebar, "theme.light.sidebar"),
        (parts.dark.sidebar, "theme.dark.sidebar"),
    ):
        put(part, section)
    return whole.SerializeToString(deterministic=True)


def test_theme_is_the_same_the_first_time_and_every_other(ours):
    theirs = message()
    assert b"#0b6e69" in theirs
    theme.install()
    assert app_session._populate_theme_msg is theme.put
    assert [message(), message()] == [theirs, theirs]
    assert theme.made.keys() >= {"theme", "theme.light", "theme.dark"}
