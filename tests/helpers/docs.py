"""The recipes of a document, as a reader would try them: one after the other in one shell."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from services.settings import HERE

PATIENCE = 300  # s for all recipes of a document


def recipes(document: str, language: str) -> list[str]:
    """The blocks of a language in a document of `docs/`."""
    text = (HERE / "docs" / document).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def tried(document: str, folder: Path, **environment: str) -> str:
    """What the shell recipes of a document print in `folder`; fails when one of them does."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(recipes(document, "bash"))],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout
