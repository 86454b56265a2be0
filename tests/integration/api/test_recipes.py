"""The recipes of docs/guide/api.md work as described, on a running installation."""

from __future__ import annotations

import os
import subprocess
import sys

from services.access.actors import local_actor
from services.models import RunFilter
from tests.helpers.docs import recipes, run_recipes


def test_recipes_run_in_one_shell_from_first_to_last(desk, served, tmp_path):
    where = {"API": served.settings.public_api_url}
    assert "COMPLETE\n" in run_recipes("guide/api.md", tmp_path, **where)
    assert "q1" in (tmp_path / "hits.tsv").read_text()
    assert "<html" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "shown.html").read_text() == (tmp_path / "report.html").read_text()
    (python,) = recipes("guide/api.md", "python")
    env = where | {"PATH": os.environ["PATH"]}
    output = subprocess.check_output([sys.executable, "-c", python], env=env, text=True)
    assert output.startswith("COMPLETE ['results/report.html'")
    for left in desk.services.runs.list(local_actor(), RunFilter()).items:
        desk.finished(left.id)
