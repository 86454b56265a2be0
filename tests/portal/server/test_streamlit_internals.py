"""The private parts of Streamlit: each is as expected, and the portal starts without it."""

from __future__ import annotations

import inspect
import os
import re
import tomllib
import urllib.request
from pathlib import Path

import pytest
import streamlit
from streamlit import config, file_util, net_util
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import app_session
from streamlit.web.server.starlette import starlette_websocket

from services.settings import HERE
from tests.helpers.processes import serving
from ui import streamlit_internals as internals
from ui.server import page_shell

ASSETS = HERE / "ui" / "assets"
MOVED = "Streamlit {version} {change}: see docs/design/private-parts.md"
MARKS = (internals.HEAD, internals.TITLE, internals.BODY_END)
#: Names of Streamlit's client that are not test ids or classes: name → where it is used.
CLIENT_NAMES = {
    "BACKEND_BASE_URL": "the page, to name the address of the server",
    "__streamlit": "the page, to name the address of the server",
    "data-stale": "style.css, to keep elements readable while they are drawn again",
    "st-key-": "style.css, for the keys of our elements",
    "Add: ": "typed.js, to confirm a typed value of a multiselect",
    "data-test-connection-state": "connection.js, to notice that Streamlit is not connected",
    "DISCONNECTED_FOREVER": "connection.js, to notice that Streamlit does not reconnect",
    "Connection error": "connection.js, to close the dialog of Streamlit",
    '"portal"': "typed.js, to notice that a cell of a table is edited",
}
#: `sitecustomize` of a Streamlit whose private function for the theme has another name.
RENAMED = """
import sys
from importlib.machinery import PathFinder, SourceFileLoader

class Renaming(SourceFileLoader):
    def get_code(self, name):
        source = self.get_source(name).replace("_populate_theme_msg", "_write_theme")
        return compile(source, self.path, "exec", dont_inherit=True)

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "streamlit.runtime.app_session":
            spec = PathFinder.find_spec(name, path)
            spec.loader = Renaming(name, spec.origin)
            return spec

sys.meta_path.insert(0, Finder())
"""


def moved(change: str) -> str:
    """The sentence of a test that fails because Streamlit changed."""
    return MOVED.format(version=streamlit.__version__, change=change)


# ---- Streamlit is as expected ------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [internals.THEME_WRITER, internals.STATIC_FOLDER, *internals.ADDRESS_LOOKUPS]
)
def test_private_function_exists(path):
    assert callable(internals.find(path)), moved(f"has no {path}")


def test_theme_function_has_expected_parameters():
    parameters = list(inspect.signature(app_session._populate_theme_msg).parameters)
    assert parameters == ["msg", "section"], moved(f"calls {internals.THEME_WRITER} differently")


@pytest.mark.parametrize("mark", MARKS)
def test_page_has_each_mark_once(mark):
    count = internals.page_template().count(mark)
    assert count == 1, moved(f"has {mark} {count} times in its page")


def test_page_preloads_one_font():
    count = len(internals.FONT_PRELOAD.findall(internals.page_template()))
    assert count == 1, moved(f"preloads {count} fonts in its page")


@pytest.fixture(scope="module")
def client() -> str:
    """The scripts of Streamlit's client, one after the other."""
    folder = Path(file_util.get_static_dir()) / "static" / "js"
    return "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.js"))


def test_client_has_names_that_our_assets_use(client):
    used = {name: path.name for path in ASSETS.glob("*.*s") for name in _client_names(path)}
    assert {"stElementContainer", "stMultiSelect", "stCaptionContainer"} <= used.keys()
    missing = {name: use for name, use in {**used, **CLIENT_NAMES}.items() if name not in client}
    assert not missing, moved(f"has renamed parts of its pages {missing}")


def _client_names(path: Path) -> set[str]:
    """Test ids and classes of Streamlit in a style sheet or script."""
    return set(re.findall(r"\bst[A-Z][A-Za-z]+", path.read_text(encoding="utf-8")))


def test_options_of_config_file_exist():
    known = config.get_config_options().keys()
    options = tomllib.loads((HERE / ".streamlit" / "config.toml").read_text())
    unknown = [name for name in _option_names(options) if name not in known]
    assert not unknown, moved(f"has no options {unknown}")


def _option_names(section, prefix=""):
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _option_names(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


# ---- the portal starts without them ------------------------------------------------------------


def test_portal_starts_when_streamlit_renamed_its_theme_function(settings, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(RENAMED)
    path = os.pathsep.join([str(tmp_path), str(HERE)])
    with serving(settings, tmp_path, "portal", PYTHONPATH=path) as servers:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{settings.portal_port}/", timeout=30) as reply:
            page = reply.read().decode()
        assert "st-key-failure" in page  # of our style sheet
        lines = [line for line in servers.log("portal").splitlines() if "has no" in line]
    assert lines == [f"Streamlit {streamlit.__version__} has no {internals.THEME_WRITER}"]


def test_theme_function_that_is_missing_leaves_streamlit_alone(monkeypatch, caplog):
    monkeypatch.delattr(app_session, "_populate_theme_msg")
    internals.cache_theme()
    assert not hasattr(app_session, "_populate_theme_msg")
    assert [internals.THEME_WRITER in line for line in caplog.messages] == [True]


def test_theme_function_with_other_parameters_is_not_replaced(monkeypatch, caplog):
    def write(msg, section, colors):
        pass

    monkeypatch.setattr(app_session, "_populate_theme_msg", write)
    internals.cache_theme()
    assert app_session._populate_theme_msg is write
    assert [internals.THEME_WRITER in line for line in caplog.messages] == [True]


@pytest.mark.parametrize("path", internals.ADDRESS_LOOKUPS)
def test_address_lookup_that_is_missing_is_logged_and_the_other_one_replaced(
    monkeypatch, caplog, path
):
    other = next(one for one in internals.ADDRESS_LOOKUPS if one != path).rpartition(".")[2]
    monkeypatch.setattr(net_util, other, getattr(net_util, other))  # restored after the test
    monkeypatch.delattr(net_util, path.rpartition(".")[2])
    internals.disable_address_lookups()
    assert [path in line for line in caplog.messages] == [True]
    assert getattr(net_util, other)() is None


def test_page_is_found_when_streamlit_does_not_name_its_folder(monkeypatch, caplog):
    monkeypatch.delattr(file_util, "get_static_dir")
    assert internals.BODY_END in internals.page_template()
    assert [internals.STATIC_FOLDER in line for line in caplog.messages] == [True]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("count", [0, 2])
def test_page_without_a_mark_keeps_scripts_and_style_and_is_logged(
    settings, monkeypatch, caplog, mark, count
):
    inserted = ("BACKEND_BASE_URL", "st-key-failure", "CELL_DELAY_MS", "skipTables", "RELOAD_MS")
    expected = {text: page_shell._page(settings).count(text) for text in inserted}
    assert not caplog.messages
    page = internals.page_template().replace(mark, mark * count or "<!-- other -->")
    monkeypatch.setattr(internals, "page_template", lambda: page)
    edited = page_shell._page(settings)
    assert {text: edited.count(text) for text in inserted} == expected
    (line,) = caplog.messages
    assert (
        line
        == f"The page of Streamlit {streamlit.__version__} has {mark} {count} times instead of once"
    )


# ---- requests to other servers ----------------------------------------------------------------


@pytest.fixture
def lookups(monkeypatch):
    """The requests that Streamlit sends to find the address of this machine; none is sent."""
    requests = []
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda url, **_: requests.append(url))
    for path in internals.ADDRESS_LOOKUPS:
        name = path.rpartition(".")[2]
        monkeypatch.setattr(net_util, name, getattr(net_util, name))
    return requests


def test_streamlit_asks_another_server_about_a_foreign_origin(lookups):
    """The reason for disable_address_lookups; without it, no longer needed."""
    assert not starlette_websocket._is_origin_allowed("http://evil.example", "127.0.0.1:8501")
    assert lookups, moved("no longer looks up its address: disable_address_lookups is not needed")


def test_disabled_lookups_refuse_a_foreign_origin_without_a_request(lookups):
    internals.disable_address_lookups()
    assert not starlette_websocket._is_origin_allowed("http://evil.example", "127.0.0.1:8501")
    assert lookups == []


# ---- the theme that is sent --------------------------------------------------------------------


@pytest.fixture
def our_options(monkeypatch):
    """Streamlit with the options of the portal, and its own function for the theme."""
    monkeypatch.chdir(HERE)
    config.get_config_options(force_reparse=True)
    monkeypatch.setattr(app_session, "_populate_theme_msg", app_session._populate_theme_msg)
    yield
    monkeypatch.undo()
    config.get_config_options(force_reparse=True)


def message():
    """A theme as Streamlit's sessions build it."""
    whole = ForwardMsg()
    parts = whole.new_session.custom_theme
    write = app_session._populate_theme_msg
    write(parts)
    for part, section in (
        (parts.light, "theme.light"),
        (parts.dark, "theme.dark"),
        (parts.sidebar, "theme.sidebar"),
        (parts.light.sidebar, "theme.light.sidebar"),
        (parts.dark.sidebar, "theme.dark.sidebar"),
    ):
        write(part, section)
    return whole.SerializeToString(deterministic=True)


def test_cached_theme_is_the_same_the_first_time_and_later(our_options):
    original = app_session._populate_theme_msg
    expected = message()
    assert b"#0b6e69" in expected
    internals.cache_theme()
    assert app_session._populate_theme_msg is not original
    assert [message(), message()] == [expected, expected]
