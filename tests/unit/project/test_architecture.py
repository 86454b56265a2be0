"""Who may import what. Layers between packages are checked by import-linter (pyproject.toml)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.settings import HERE

PRODUCT = ("services", "routes", "ui", "commands", "snakemake_logger_plugin_rundesk")
ENTRIES = ("portal.py", "api.py", "cli.py")
ALLOWED = {  # top-level packages of our own that an entry point may import
    "portal.py": {"ui"},
    "api.py": {"routes", "services"},
    "cli.py": {"commands"},
}
HOME = {  # library → where it may be imported
    "pymongo": "services/database/",
    "bson": "services/database/",
    "gridfs": "services/database/",
    "streamlit": ("ui/", "portal.py"),
    "flask": ("routes/", "api.py"),
    "flasgger": ("routes/", "api.py"),
    "werkzeug": ("routes/", "api.py"),
    "apscheduler": "services/runner.py",
    "snakemake": ("services/engine/", "snakemake_logger_plugin_rundesk/"),
    "click": "commands/",
    "honcho": "commands/",
}


def sources() -> list[Path]:
    found = [HERE / name for name in ENTRIES]
    return found + [path for name in PRODUCT for path in sorted((HERE / name).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Full names of everything that a file imports, at the top or later."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield node.module or ""


def relative(path: Path) -> str:
    return path.relative_to(HERE).as_posix()


@pytest.mark.parametrize("path", sources(), ids=relative)
def test_library_is_imported_only_where_it_is_at_home(path):
    strays = {
        name
        for name in imports(path)
        if (home := HOME.get(name.partition(".")[0])) and not relative(path).startswith(home)
    }
    assert not strays


@pytest.mark.parametrize("entry", ENTRIES)
def test_entry_point_imports_only_the_layer_below(entry):
    ours = {*PRODUCT, *(name.removesuffix(".py") for name in ENTRIES)}
    used = {name.partition(".")[0] for name in imports(HERE / entry)} & ours
    assert used <= ALLOWED[entry]


def test_sources_are_all_found():
    assert {"services/settings.py", "portal.py", "routes/runs.py"} <= set(map(relative, sources()))
    assert sys.version_info >= (3, 11)
