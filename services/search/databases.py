"""Databases to search in: FASTA files that go by a name, and what was built of them.

A database is known by its content. What `sequence-search` builds of one is kept by the cache of
Snakemake for all runs (`<data>/cache`, files of one key each), and found there by its checksum.
Publishing a file gives it a name for everybody: it then belongs to no user.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.access.actors import check_admin
from services.catalogue import Catalogue
from services.database import Database
from services.errors import Conflict, Invalid, NotFound
from services.files import Files
from services.models import Actor, DatabaseIndex, File, SearchDatabase, State
from services.params.schema import flatten
from services.settings import Settings

WORKFLOW = "sequence-search"
#: Whose files published ones are. No user has it: names of users begin with no space.
PUBLISHED = Actor(id=" published")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: Of the file beside what was built: key, and which part it is.
ABOUT = re.compile(r"([0-9a-f]{64})_(table_)?about\.json")
ADMIN = "publishes and removes databases"
BUSY = (State.INITIALIZING, State.RUNNING, State.CANCELING)


class Databases:
    """Lists, publishes and removes databases."""

    def __init__(
        self, settings: Settings, database: Database, files: Files, workflows: Catalogue
    ) -> None:
        self._cache = settings.cache
        self._runs = database.runs
        self._store = database.files
        self._files = files
        self._workflows = workflows

    def list(self, actor: Actor) -> Sequence[SearchDatabase]:
        """Published ones, and files of the actor's that were searched in; by name."""
        built = self._built()
        own = self._store.by_content(built, actor.id)
        found = [self._told(file, built, published=True) for file in self._published()]
        taken = {database.sha256 for database in found}
        found += [self._told(file, built) for file in own if file.sha256 not in taken]
        return sorted(found, key=lambda database: (not database.published, database.name.lower()))

    def named(self, actor: Actor, name: str) -> File | None:
        """The published database of that name, as a file of the actor's."""
        for file in self._published():
            if name in (file.name, self.plain(file.name)):
                place = self._files.blob(file.sha256)
                return self._files.adopt(
                    actor, file.name, place, sha256=file.sha256, size=file.size
                )
        return None

    def names(self) -> Sequence[str]:
        """What the published ones are called."""
        return [self.plain(file.name) for file in self._published()]

    def publish(self, actor: Actor, name: str, file: str | Path) -> SearchDatabase:
        """Give a registered file (its id), or one of this host (a path), a name for everybody.

        It takes the place of an earlier one of that name. Raises Invalid, Forbidden, NotFound.
        """
        check_admin(actor, ADMIN)
        if not NAME.fullmatch(name):
            raise Invalid(f"“{name}” is no name for a database.", field="name", hint=NAME.pattern)
        known = None if isinstance(file, Path) else self._files.get(actor, file)
        called = file.name if isinstance(file, Path) else known.name if known else ""
        full = name + self._suffix_of(called)
        before = [one for one in self._published() if self.plain(one.name) == name]
        if known is not None:
            place = self._files.blob(known.sha256)
            made = self._files.adopt(PUBLISHED, full, place, sha256=known.sha256, size=known.size)
        else:
            with Path(file).open("rb") as stream:
                made = self._files.register(PUBLISHED, full, stream)
        for old in before:
            if old.id != made.id:
                self._forget(old)
        return self._told(made, self._built(), published=True)

    def remove(self, actor: Actor, name: str) -> int:
        """Withdraw a published database, and what was built of it; bytes freed of the latter.

        Raises NotFound, and Conflict while searches are at work: they may read it.
        """
        check_admin(actor, ADMIN)
        found = [one for one in self._published() if name in (one.name, self.plain(one.name))]
        if not found:
            raise NotFound(f"No database is published as {name}.")
        if any(self._runs.tally(None).get(WORKFLOW, {}).get(state, 0) for state in BUSY):
            raise Conflict("Searches are at work.", hint="Try again when they are done.")
        freed = 0
        for file in found:
            for index in self._built().get(file.sha256, ()):
                for path in self._cache.glob(f"{index.key}_*"):
                    path.unlink(missing_ok=True)
                freed += index.size
            self._forget(file)
        return freed

    def plain(self, name: str) -> str:
        """The name of a file without what makes it one that can be searched: `.fasta.gz` …"""
        return self._suffix().sub("", name)

    def _forget(self, file: File) -> None:
        with contextlib.suppress(NotFound, Conflict):
            self._files.delete(PUBLISHED, file.id)

    def _published(self) -> Sequence[File]:
        return self._files.list(PUBLISHED, limit=200).items

    def _built(self) -> dict[str, Sequence[DatabaseIndex]]:
        """What the cache has of each content, newest first."""
        found: dict[str, list[DatabaseIndex]] = {}
        for path in self._cache.glob("*_about.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):  # going, or another's
                known: dict[str, Any] = json.loads(path.read_bytes())
                if index := _index(path, known):
                    found.setdefault(known["sha256"], []).append(index)
        return {one: sorted(of, key=lambda i: i.built, reverse=True) for one, of in found.items()}

    def _told(
        self, file: File, built: dict[str, Sequence[DatabaseIndex]], *, published: bool = False
    ) -> SearchDatabase:
        return SearchDatabase(
            name=self.plain(file.name),
            published=published,
            file=file.name,
            size=file.size,
            sha256=file.sha256,
            created=file.created,
            indexes=built.get(file.sha256, []),
        )

    def _suffix_of(self, name: str) -> str:
        found = self._suffix().search(name)
        if found is None:
            raise Invalid(f"{name} is not called as FASTA files are.", field="file")
        return found[0]

    def _suffix(self) -> re.Pattern[str]:
        schema = self._workflows.get(PUBLISHED, WORKFLOW).params_schema
        return re.compile(flatten(schema)["properties"]["database"]["pattern"], re.IGNORECASE)


def _index(path: Path, known: dict[str, Any]) -> DatabaseIndex | None:
    """None for the table that a small database has not."""
    if not (named := ABOUT.fullmatch(path.name)):
        return None
    key = named[1]
    sizes = [part.stat().st_size for part in path.parent.glob(f"{key}_*") if part != path]
    if not any(sizes):
        return None
    return DatabaseIndex(
        key=key,
        part="table" if named[2] else "sequences",
        type=known["type"],
        sequences=known["sequences"],
        letters=known["letters"],
        release=known["mmseqs_version"],
        size=sum(sizes),
        built=datetime.fromtimestamp(path.stat().st_mtime, UTC),
    )
