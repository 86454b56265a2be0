"""Publishes the results of a run by writing the manifest that everything else reads."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from services.files.registry import kind_of
from services.host.atomic import draft_of, write_atomically
from services.host.copying import clone_or_link
from services.models import Highlight, Result
from services.rundir import RunDir

TIMESTAMP = ".snakemake_timestamp"  # Snakemake marks outputs of directory() with it


def publish(
    rundir: RunDir,
    outputs: Sequence[str],
    highlights: Sequence[Highlight],
    *,
    targets: Sequence[str] = (),
    cache: Path | None = None,
) -> None:
    """Write the manifest of a run atomically.

    Results are the files below `results/` and the targets wherever they are; for a workflow that
    has none below `results/`, the outputs of its jobs that still exist. `outputs` and `targets` are
    relative to the run directory. Results that are links into the shared `cache` become files.
    """
    if cache is not None:
        below = [path for path in outputs if path.startswith(f"{rundir.results.name}/")]
        _keep_shared(rundir, [*targets, *(below or outputs)], cache)
    paths = list(_files_below(rundir.root, rundir.results))
    paths = paths or list(_existing_files(rundir.root, outputs))
    paths += _existing_files(rundir.root, targets)
    results = [_result(rundir.root, path, highlights) for path in dict.fromkeys(paths)]
    ranks = {highlight.path: rank for rank, highlight in enumerate(highlights)}
    results.sort(key=lambda result: (_rank(result.path, ranks), result.path))
    rundir.manifest.parent.mkdir(parents=True, exist_ok=True)
    omitted = {"rule", "job"}  # the jobs themselves say that
    with write_atomically(rundir.manifest, durable=True) as file:
        json.dump([result.model_dump(exclude=omitted) for result in results], file)


def targets_of(rundir: RunDir) -> list[str]:
    """Return what the attempts of a run were asked for, in order."""
    targets: dict[str, None] = {}
    for path in sorted(rundir.internal.glob("attempt-*/targets.jsonl")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):  # cut short by a full disk
                targets |= dict.fromkeys(map(str, json.loads(line)))
    return list(targets)


def _keep_shared(rundir: RunDir, paths: Iterable[str], cache: Path) -> None:
    """Replace links into the shared cache, whose entries may be removed, by what they lead to."""
    home, shared = rundir.root.resolve(), cache.resolve()
    for path in dict.fromkeys(paths):
        link = rundir.root / path
        if not (link.is_symlink() and link.parent.resolve().is_relative_to(home)):
            continue
        real = link.resolve()
        if real.is_relative_to(shared) and real != shared and real.exists():
            with draft_of(link) as draft:
                if real.is_dir():
                    shutil.copytree(real, draft, copy_function=_second_name)
                else:
                    _second_name(real, draft)
                link.unlink()


def _second_name(source: str | Path, target: str | Path) -> None:
    with Path(source).open("rb") as file:
        if not clone_or_link(file.fileno(), Path(target)):
            shutil.copyfile(source, target)


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
        for name in sorted(set(names) - {TIMESTAMP}):
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
