"""The recipes of docs/api.md do what they say, on a desk that runs."""

from __future__ import annotations

import os
import re
import subprocess

from services.access import local_actor
from services.models import RunFilter
from services.settings import HERE
from tests.host import until
from tests.servers import serving


def test_recipes_run_in_one_shell_from_first_to_last(settings, services, tmp_path):
    text = (HERE / "docs" / "api.md").read_text()
    script = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))
    with serving(settings, tmp_path, "api", "runner"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "API": settings.public_api_url},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        assert "COMPLETE\n" in done.stdout
        assert "q1" in (tmp_path / "hits.tsv").read_text()
        assert "<html" in (tmp_path / "report.html").read_text()
        (left,) = until(lambda: services.runs.list(local_actor(), RunFilter()).items)
        until(lambda: services.runs.get(local_actor(), left.id).state.final)
