"""The recipes of docs/api.md do what they say, on a desk that runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from services.access import local_actor
from services.models import RunFilter
from services.settings import HERE


def test_recipes_run_in_one_shell_from_first_to_last(desk, served, tmp_path):
    text = (HERE / "docs" / "api.md").read_text()
    script = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "API": served.settings.public_api_url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "COMPLETE\n" in done.stdout
    assert "q1" in (tmp_path / "hits.tsv").read_text()
    assert "<html" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "shown.html").read_text() == (tmp_path / "report.html").read_text()
    (python,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    env = {"API": served.settings.public_api_url, "PATH": os.environ["PATH"]}
    told = subprocess.check_output([sys.executable, "-c", python], env=env, text=True)
    assert told.startswith("COMPLETE ['results/report.html'")
    for left in desk.services.runs.list(local_actor(), RunFilter()).items:
        desk.finished(left.id)
