"""What runs share: outputs of rules marked `cache: True`, kept by Snakemake in `<data>/cache`.

Each entry is the output of one job under its key, `<key>` or `<key>_<name>`; runs link to its
files. A run that finds an entry gone makes its files itself, so only those that runs at work have
linked must stay. Published results never lie here (`services.results`).
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
from services.models import Actor, RunFilter, State
from services.rundir import RunDir
from services.settings import Settings

KEYED = re.compile(r"([0-9a-f]{64})(.*)", re.DOTALL)
BUSY = [State.INITIALIZING, State.RUNNING, State.CANCELING]


@dataclass(frozen=True)
class Entry:
    """The output of one job. Used: last read, or made where the file system notes no reading."""

    key: str
    paths: Sequence[Path]
    size: int  # bytes
    made: datetime
    used: datetime

    @property
    def names(self) -> str:
        """What its files are called after the key."""
        return ", ".join(path.name.removeprefix(self.key).lstrip("_") for path in self.paths)


class Cache:
    """Lists and prunes it."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._data = settings.data
        self._root = settings.cache
        self._runs = database.runs

    def list(self, actor: Actor) -> Sequence[Entry]:
        """Every entry, the longest unused first."""
        check_admin(actor, "looks after what runs share")
        found: dict[str, list[Path]] = {}
        for path in sorted(self._root.iterdir()) if self._root.is_dir() else ():
            if named := KEYED.fullmatch(path.name):
                found.setdefault(named[1], []).append(path)
        return sorted((_entry(*one) for one in found.items()), key=lambda entry: entry.used)

    def prune(self, actor: Actor, before: datetime) -> Sequence[Entry]:
        """Remove what was last used before then, except what runs at work have linked."""
        stale = [entry for entry in self.list(actor) if entry.used < before]
        linked = {named[1] for path in self._linked() if (named := KEYED.fullmatch(path.name))}
        gone = [entry for entry in stale if entry.key not in linked]
        for path in (path for entry in gone for path in entry.paths):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return gone

    def _linked(self) -> Iterator[Path]:
        """Files of the cache that runs at work have linked."""
        after: str | None = None
        while True:
            page = self._runs.page(RunFilter(state=BUSY, after=after, limit=200), None)
            for run in page.items:
                yield from _links(RunDir.of(self._data, run.id).root, self._root)
            if not (after := page.next):
                return


def _entry(key: str, paths: Sequence[Path]) -> Entry:
    files = [file for path in paths for file in _files(path)]
    stats = [file.stat() for file in files] or [path.stat() for path in paths]
    largest = max(stats, key=lambda stat: stat.st_size)  # small ones are read when lists are made
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
    """What links below a folder lead to, where that is in the cache."""
    home = cache.resolve()
    for root, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(root, name)
            if path.is_symlink() and (real := path.resolve()).is_relative_to(home):
                yield home / real.relative_to(home).parts[0]
