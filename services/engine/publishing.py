"""Publishes the results of a run by writing the manifest that everything else reads."""

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


def publish(rundir: RunDir, outputs: Iterable[str], highlights: Sequence[Highlight]) -> None:
    """Write the manifest of a run atomically.

    Results are the files below `results/`; for a workflow that has none there, the outputs of its
    jobs that still exist. `outputs` are those, relative to the run directory.
    """
    paths = list(_files_below(rundir.root, rundir.results))
    paths = paths or list(_existing_files(rundir.root, outputs))
    results = [_result(rundir.root, path, highlights) for path in dict.fromkeys(paths)]
    ranks = {highlight.path: rank for rank, highlight in enumerate(highlights)}
    results.sort(key=lambda result: (_rank(result.path, ranks), result.path))
    rundir.manifest.parent.mkdir(parents=True, exist_ok=True)
    omitted = {"rule", "job"}  # the jobs themselves say that
    with write_atomically(rundir.manifest, durable=True) as file:
        json.dump([result.model_dump(exclude=omitted) for result in results], file)


def _rank(path: str, ranks: dict[str, int]) -> int:
    matching = (rank for glob, rank in ranks.items() if fnmatch.fnmatchcase(path, glob))
    return min(matching, default=len(ranks))


def _result(root: Path, path: str, highlights: Sequence[Highlight]) -> Result:
    title = next((h.title or path for h in highlights if fnmatch.fnmatchcase(path, h.path)), "")
    return Result(
        path=path,
        size=(root / path).stat().st_size,
        sha256=_sha256(root / path),
        kind=kind_of(path),
        title=title,
    )


def _files_below(root: Path, folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield from _existing_files(root, [str(Path(parent, name).relative_to(root))])


def _existing_files(root: Path, paths: Iterable[str]) -> Iterator[str]:
    """Yield the files among `paths` that lie inside the run directory, links followed."""
    home = root.resolve()
    for path in paths:
        real = (root / path).resolve()
        if real.is_relative_to(home) and real.is_file():
            yield Path(os.path.normpath(path)).as_posix()
        elif real.is_relative_to(home) and real.is_dir() and (root / path) != root:
            yield from _files_below(root, root / path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
