"""The shared cache: outputs of rules marked `cache: True`, kept by Snakemake in `<data>/cache`.

Each entry is the output of one job under its key, `<key>` or `<key>_<name>`; runs link to its
files. A run creates the files of a missing entry itself, so only the entries that unfinished runs
link to must stay. Published results are never in the cache (`services.results`).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from services.access.actors import check_admin
from services.database import Database
from services.errors import Message
from services.models import LIVE, MAX_PAGE_SIZE, Actor, RunFilter
from services.rundir import RunDir
from services.settings import Settings

KEYED = re.compile(r"([0-9a-f]{64})(.*)", re.DOTALL)
CACHE_FOR_ADMINS = Message("forbidden", "Only an administrator can list or prune the shared cache.")


@dataclass(frozen=True)
class Entry:
    """The output of one job."""

    key: str
    paths: Sequence[Path]
    size: int  # bytes
    made: datetime
    used: datetime  # last read, or `made` on a file system that does not record reads

    @property
    def names(self) -> str:
        """The names of its files without the key."""
        return ", ".join(path.name.removeprefix(self.key).lstrip("_") for path in self.paths)


class Cache:
    """Lists and prunes the shared cache."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._data = settings.data
        self._root = settings.cache
        self._runs = database.runs

    def list(self, actor: Actor) -> Sequence[Entry]:
        """Return every entry, least recently used first. Raises Forbidden."""
        check_admin(actor, CACHE_FOR_ADMINS())
        paths: dict[str, list[Path]] = {}
        for path in sorted(self._root.iterdir()) if self._root.is_dir() else ():
            if match := KEYED.fullmatch(path.name):
                paths.setdefault(match[1], []).append(path)
        return sorted((_entry(*item) for item in paths.items()), key=lambda entry: entry.used)

    def prune(self, actor: Actor, before: datetime) -> Sequence[Entry]:
        """Remove and return the entries last used before then that no unfinished run links to.

        Raises Forbidden.
        """
        stale = [entry for entry in self.list(actor) if entry.used < before]
        linked = {
            match[1] for path in self._linked_paths() if (match := KEYED.fullmatch(path.name))
        }
        removed = [entry for entry in stale if entry.key not in linked]
        for path in (path for entry in removed for path in entry.paths):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return removed

    def _linked_paths(self) -> Iterator[Path]:
        """Files of the cache that unfinished runs link to."""
        after: str | None = None
        while True:
            page = self._runs.page(
                RunFilter(state=sorted(LIVE), after=after, limit=MAX_PAGE_SIZE), None
            )
            for run in page.items:
                yield from _links(RunDir.of(self._data, run.id).root, self._root)
            if not (after := page.next):
                return


def _entry(key: str, paths: Sequence[Path]) -> Entry:
    files = [file for path in paths for file in _files(path)]
    stats = [file.stat() for file in files] or [path.stat() for path in paths]
    largest = max(
        stats, key=lambda stat: stat.st_size
    )  # listing reads small files, which changes their access time
    made = max(stat.st_mtime for stat in stats)
    return Entry(
        key=key,
        paths=paths,
        size=sum(stat.st_size for stat in stats),
        made=datetime.fromtimestamp(made, UTC),
        used=datetime.fromtimestamp(max(made, largest.st_atime), UTC),
    )


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for root, _, names in os.walk(path):
        yield from (Path(root, name) for name in names)


def _links(folder: Path, cache: Path) -> Iterator[Path]:
    """The targets in the cache of the links below a folder."""
    home = cache.resolve()
    for root, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(root, name)
            if path.is_symlink() and (real := path.resolve()).is_relative_to(home):
                yield home / real.relative_to(home).parts[0]
