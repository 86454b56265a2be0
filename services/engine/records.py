"""What Snakemake writes down of the files that jobs make, and goes by when it resumes.

Each record is a file in `.snakemake` that is named by the path of the output in base64, cut into
folders where it is long (Snakemake 9.27, persistence/file.py).
"""

from __future__ import annotations

import contextlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path

MADE = Path(".snakemake/metadata")
UNFINISHED = Path(".snakemake/incomplete")
MARK = json.dumps({"external_jobid": None})  # as for a job that no cluster executes


def made(folder: Path) -> set[str]:
    """Outputs that jobs have made in a run's folder, in all of its attempts."""
    root, found = folder / MADE, set()
    for path in root.rglob("*"):
        if path.is_file():
            name = "".join(part.removeprefix("@") for part in path.relative_to(root).parts)
            with contextlib.suppress(ValueError):
                found.add(urlsafe_b64decode(name).decode())
    return found


def mark_unfinished(folder: Path, outputs: Iterable[str]) -> None:
    """Mark outputs as not to be trusted until their job has ended well. Raises OSError.

    Snakemake does the same, but only after it has handed the job over to the thread that executes
    it: killed in between, it would take the beginning of a file for all of it.
    """
    root = folder / UNFINISHED
    for output in outputs:
        place = root.joinpath(*_parts(output, os.pathconf(folder, "PC_NAME_MAX") or 255))
        try:
            mark = os.open(place, os.O_WRONLY | os.O_CREAT, 0o660)
        except FileNotFoundError:  # a long name has folders
            place.parent.mkdir(parents=True, exist_ok=True)
            mark = os.open(place, os.O_WRONLY | os.O_CREAT, 0o660)
        with os.fdopen(mark, "w", encoding="utf-8") as file:
            os.fchmod(mark, 0o660)  # whatever the umask says
            file.write(MARK)


def _parts(output: str, longest: int) -> list[str]:
    name, most = urlsafe_b64encode(output.encode()).decode(), longest - 1
    *folders, last = (name[at : at + most] for at in range(0, len(name), most))
    return [*(f"@{folder}" for folder in folders), last]
