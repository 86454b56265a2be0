"""Publishes the results of a run: writes the manifest that everything else reads."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from services.files.registry import kind_of
from services.host.atomic import write_atomically
from services.models import Highlight, Result
from services.rundir import RunDir

TIMESTAMP = ".snakemake_timestamp"  # Snakemake marks outputs of directory() with it


def publish(rundir: RunDir, outputs: Iterable[str], highlights: Sequence[Highlight]) -> None:
    """Write the manifest of a run, whole or not at all.

    Results are the files below `results/`; for a workflow that keeps none there, the outputs of
    its jobs that still exist. `outputs` are those, relative to the run directory.
    """
    found = list(_below(rundir.root, rundir.results)) or list(_existing(rundir.root, outputs))
    listed = [_result(rundir.root, path, highlights) for path in dict.fromkeys(found)]
    order = {highlight.path: place for place, highlight in enumerate(highlights)}
    listed.sort(key=lambda result: (_place(result.path, order), result.path))
    rundir.manifest.parent.mkdir(parents=True, exist_ok=True)
    unsaid = {"rule", "job"}  # the jobs themselves say that
    with write_atomically(rundir.manifest, durable=True) as file:
        json.dump([result.model_dump(exclude=unsaid) for result in listed], file)


def _place(path: str, order: dict[str, int]) -> int:
    matching = (place for glob, place in order.items() if fnmatch.fnmatchcase(path, glob))
    return min(matching, default=len(order))


def _result(root: Path, path: str, highlights: Sequence[Highlight]) -> Result:
    title = next((h.title or path for h in highlights if fnmatch.fnmatchcase(path, h.path)), "")
    return Result(
        path=path,
        size=(root / path).stat().st_size,
        sha256=_sha256(root / path),
        kind=kind_of(path),
        title=title,
    )


def _below(root: Path, folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(set(names) - {TIMESTAMP}):
            yield from _existing(root, [str(Path(place, name).relative_to(root))])


def _existing(root: Path, paths: Iterable[str]) -> Iterator[str]:
    """Those that are files and lie inside the run directory, links followed."""
    home = root.resolve()
    for path in paths:
        real = (root / path).resolve()
        if real.is_relative_to(home) and real.is_file():
            yield Path(os.path.normpath(path)).as_posix()
        elif real.is_relative_to(home) and real.is_dir() and (root / path) != root:
            yield from _below(root, root / path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
