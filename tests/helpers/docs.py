"""Recipes of a document, run as a reader would run them: one after the other in one shell."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from services.settings import HERE

RECIPES_TIMEOUT_S = 300  # for all recipes of a document


def recipes(document: str, language: str) -> list[str]:
    """Return the code blocks of one language in a document, a path below `docs/`."""
    text = (HERE / "docs" / document).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run_recipes(document: str, folder: Path, **environment: str) -> str:
    """Run the shell recipes of a document in `folder`, and return what they print.

    Fails as soon as one of their commands fails.
    """
    completed = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(recipes(document, "bash"))],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=RECIPES_TIMEOUT_S,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout[-2000:] + completed.stderr
    return completed.stdout
