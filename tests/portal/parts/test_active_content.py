"""Names and content of files never become paths, URLs, markup or specifications of the portal."""

from __future__ import annotations

import ast
import json
from datetime import timedelta
from pathlib import Path

import pytest

import ui
from services.models import Graph, Job, State, Step
from tests.helpers.runs import NOW
from ui.parts import charts

HOSTILE = 'a" image="/etc/passwd" href="http://evil.example/" b\\" <img src=x> \\N'
#: Functions of Streamlit that take text as a path, a URL or HTML → the modules that call them
TAKE_PATHS = {
    "image": {"parts/file_viewer.py"},  # with BytesIO
    "iframe": {"parts/file_viewer.py"},  # with a signed link of the API
    "html": {
        "server/account.py",  # with the address of the sign-in page
        "pages/new_run.py",  # with the class of a field, which has only letters, digits and "-"
    },
    "logo": set(),
    "audio": set(),
    "video": set(),
    "pdf": set(),
    "download_button": {"forms/config_files.py", "forms/sheet_sources.py"},  # with bytes
    "write_stream": set(),
    "map": set(),
    "pydeck_chart": set(),
}


def calls():
    """Yield the module, the name and the node of each call `st.name(…)` of the portal."""
    root = Path(ui.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield path.relative_to(root).as_posix(), node.func.attr, node


def test_functions_that_take_paths_are_called_only_where_they_were_reviewed():
    found: dict[str, set[str]] = {name: set() for name in TAKE_PATHS}
    for module, name, node in calls():
        value = node.func.value
        if name in TAKE_PATHS and isinstance(value, ast.Name) and value.id == "st":
            found[name].add(module)
    assert found == TAKE_PATHS


def test_image_is_called_with_a_stream_of_bytes():
    (node,) = [node for _, name, node in calls() if name == "image"]
    assert ast.unparse(node.args[0]).startswith("io.BytesIO(")


def test_html_in_markdown_is_never_allowed():
    for module, _, node in calls():
        names = {keyword.arg for keyword in node.keywords}
        assert not names & {"unsafe_allow_html", "unsafe_allow_javascript"}, module


def test_graph_quotes_names_of_rules():
    steps = [
        Step(rule=HOSTILE, total=1, done=0, failed=0, running=0, state=None, mean_seconds=None)
    ]
    dot = charts.dot(Graph(steps=steps, links=[]))
    (line,) = [line for line in dot.splitlines() if line.startswith("n0 ")]
    value = line.removeprefix('n0 [label="')
    unescaped = value.replace("\\\\", "").replace('\\"', "")
    assert unescaped.index('"') > unescaped.index("0 of 1")  # the label ends after all of the name


@pytest.mark.parametrize("name", [HOSTILE, "http://evil.example/data.json", "file:///etc/passwd"])
def test_timeline_has_names_in_its_rows_only(name):
    job = Job(
        id="1-1",
        rule=name,
        wildcards={"url": name},
        state=State.COMPLETE,
        started=NOW,
        ended=NOW + timedelta(seconds=5),
    )
    rows, spec = charts.timeline([job], NOW, NOW)
    assert rows[0]["job"].startswith(name[:40])
    text = json.dumps(spec)
    assert "url" not in text
    assert name not in text
    assert "data" not in spec
