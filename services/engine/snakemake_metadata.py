"""What Snakemake writes down of the files that jobs make, and goes by when it resumes.

Each record is a file in `.snakemake` that is named by the path of the output in base64, cut into
folders where it is long (Snakemake 9.27, persistence/file.py).
"""

from __future__ import annotations

import contextlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from pathlib import Path

OWN = ".snakemake"
MADE = Path(OWN, "metadata")
UNFINISHED = Path(OWN, "incomplete")
MARK = json.dumps({"external_jobid": None})  # as for a job that no cluster executes


def made(folder: Path) -> dict[str, float]:
    """Outputs that jobs made in a run's folder, in all attempts, and when that was written down.

    What jobs reported can lack the last moments of a killed attempt; these records cannot.
    """
    root, found = folder / MADE, {}
    for path in root.rglob("*"):
        if path.is_file():
            name = "".join(part.removeprefix("@") for part in path.relative_to(root).parts)
            with contextlib.suppress(ValueError):
                found[urlsafe_b64decode(name).decode()] = path.stat().st_mtime
    return found


def distrust(folder: Path, apart: Collection[str]) -> None:
    """Mark as unfinished what lies in a run's folder and was not written down as made.

    Snakemake trusts an output that is there and bears no mark. It marks it only after it has handed
    the job to the thread that executes it, and takes the mark away before it removes what a failed
    job had begun to write: killed in between, it would take the beginning of a file for all of it.
    `apart` are names in `folder` that hold no outputs. A mark on what is no output says nothing.
    """
    known = made(folder)
    for place, folders, files in os.walk(folder):
        within = Path(place).relative_to(folder)
        if within == Path():
            folders[:] = [name for name in folders if name not in {OWN, *apart}]
        for name in (*folders, *files):
            if not _trusted(Path(place, name), output := str(within / name), known):
                _mark(folder, output)
        folders[:] = [name for name in folders if str(within / name) not in known]


def _trusted(path: Path, output: str, known: Mapping[str, float]) -> bool:
    """Whether it was made, and is no file that a later job has begun anew since then."""
    if output not in known:
        return False
    return path.is_dir() or path.lstat().st_mtime <= known[output]


def _mark(folder: Path, output: str) -> None:
    longest = os.pathconf(folder, "PC_NAME_MAX") or 255
    with contextlib.suppress(UnicodeEncodeError):  # no output: Snakemake could not mark it either
        place = folder.joinpath(UNFINISHED, *_parts(output, longest))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(MARK, encoding="utf-8")


def _parts(output: str, longest: int) -> list[str]:
    name, most = urlsafe_b64encode(output.encode()).decode(), longest - 1
    *folders, last = (name[at : at + most] for at in range(0, len(name), most))
    return [*(f"@{folder}" for folder in folders), last]
