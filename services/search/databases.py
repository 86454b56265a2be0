"""Search databases: named FASTA files and the indexes built from them.

A database is identified by its content. The indexes that `sequence-search` builds are in the shared
cache (`<data>/cache`, the files of an index under one key) and are looked up by the checksum of the
content. A published file has a name for all users and belongs to none of them.
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
from services.errors import Conflict, Invalid, Message, NotFound
from services.files import Files
from services.models import LIVE, MAX_PAGE_SIZE, Actor, DatabaseIndex, File, SearchDatabase
from services.params.schema import flatten
from services.settings import Settings

WORKFLOW = "sequence-search"
#: The owner of published files. The names of users do not start with a space.
PUBLISHED = Actor(id=" published")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
#: The name of the file that describes an index: its key and its part.
ABOUT = re.compile(r"([0-9a-f]{64})_(table_)?about\.json")

DATABASES_FOR_ADMINS = Message(
    "forbidden", "Only an administrator can publish or remove databases."
)
INVALID_NAME = Message(
    "wrong_format",
    "“{name}” is not a valid name for a database.",
    hint="A name has 1 to 100 letters, digits, dots, underscores and hyphens, and starts with a"
    " letter or a digit.",
)
NOT_A_FASTA_NAME = Message(
    "wrong_kind_of_file",
    "The name {name} does not have the suffix of a FASTA file.",
    hint="Rename the file, for example to {name}.fasta.",
)
NOT_PUBLISHED = Message("not_found", "No database is published as {name}.")
SEARCHES_RUNNING = Message(
    "in_use",
    "The database {name} cannot be removed while searches are running.",
    hint="Try again when they have finished.",
)


class Databases:
    """Lists, finds, publishes and removes databases."""

    def __init__(
        self, settings: Settings, database: Database, files: Files, workflows: Catalogue
    ) -> None:
        self._cache = settings.cache
        self._runs = database.runs
        self._store = database.files
        self._files = files
        self._workflows = workflows

    def list(self, actor: Actor) -> Sequence[SearchDatabase]:
        """Return the published databases, and the actor's files with an index; by name."""
        indexes = self._indexes()
        own = self._store.by_content(indexes, actor.id)
        databases = [
            self._to_model(file, indexes, published=True) for file in self._published_files()
        ]
        published = {database.sha256 for database in databases}
        databases += [self._to_model(file, indexes) for file in own if file.sha256 not in published]
        return sorted(
            databases, key=lambda database: (not database.published, database.name.lower())
        )

    def find(self, actor: Actor, name: str) -> File | None:
        """Return the published database with that name, registered as a file of the actor."""
        for file in self._published_files():
            if name in (file.name, self.short_name(file.name)):
                path = self._files.blob(file.sha256)
                return self._files.adopt(actor, file.name, path, sha256=file.sha256, size=file.size)
        return None

    def names(self) -> Sequence[str]:
        """Return the names of the published databases."""
        return [self.short_name(file.name) for file in self._published_files()]

    def publish(self, actor: Actor, name: str, file: str | Path) -> SearchDatabase:
        """Publish a registered file (its id), or a file of this server (its path), under a name.

        It replaces an earlier database with that name. Raises Invalid, Forbidden, NotFound.
        """
        check_admin(actor, DATABASES_FOR_ADMINS())
        if not NAME.fullmatch(name):
            raise Invalid(INVALID_NAME(name=name), field="name")
        replaced = [old for old in self._published_files() if self.short_name(old.name) == name]
        if isinstance(file, Path):
            full_name = name + self._suffix_of(file.name)
            with file.open("rb") as stream:
                new = self._files.register(PUBLISHED, full_name, stream)
        else:
            known = self._files.get(actor, file)
            full_name = name + self._suffix_of(known.name)
            path = self._files.blob(known.sha256)
            new = self._files.adopt(
                PUBLISHED, full_name, path, sha256=known.sha256, size=known.size
            )
        for old in replaced:
            if old.id != new.id:
                self._forget(old)
        return self._to_model(new, self._indexes(), published=True)

    def remove(self, actor: Actor, name: str) -> int:
        """Remove a published database and its indexes; return the bytes of the indexes.

        Raises Forbidden, NotFound, and Conflict while searches are running: they may read it.
        """
        check_admin(actor, DATABASES_FOR_ADMINS())
        files = [
            file
            for file in self._published_files()
            if name in (file.name, self.short_name(file.name))
        ]
        if not files:
            raise NotFound(NOT_PUBLISHED(name=name))
        searches = self._runs.tally(None).get(WORKFLOW, {})
        if any(searches.get(state, 0) for state in LIVE):
            raise Conflict(SEARCHES_RUNNING(name=name))
        freed = 0
        for file in files:
            for index in self._indexes().get(file.sha256, ()):
                for path in self._cache.glob(f"{index.key}_*"):
                    path.unlink(missing_ok=True)
                freed += index.size
            self._forget(file)
        return freed

    def short_name(self, name: str) -> str:
        """Return the name of a file without the suffix of a database, such as `.fasta.gz`."""
        return self._suffix().sub("", name)

    def _forget(self, file: File) -> None:
        with contextlib.suppress(NotFound, Conflict):
            self._files.delete(PUBLISHED, file.id)

    def _published_files(self) -> Sequence[File]:
        return self._files.list(PUBLISHED, limit=MAX_PAGE_SIZE).items

    def _indexes(self) -> dict[str, Sequence[DatabaseIndex]]:
        """The indexes in the cache, newest first, by the sha256 of their database."""
        indexes: dict[str, list[DatabaseIndex]] = {}
        for path in self._cache.glob("*_about.json"):
            # removed meanwhile, or written by another workflow
            with contextlib.suppress(OSError, ValueError, KeyError):
                about: dict[str, Any] = json.loads(path.read_bytes())
                if index := _index(path, about):
                    indexes.setdefault(about["sha256"], []).append(index)
        return {
            sha256: sorted(items, key=lambda index: index.built, reverse=True)
            for sha256, items in indexes.items()
        }

    def _to_model(
        self, file: File, indexes: dict[str, Sequence[DatabaseIndex]], *, published: bool = False
    ) -> SearchDatabase:
        return SearchDatabase(
            name=self.short_name(file.name),
            published=published,
            file=file.name,
            size=file.size,
            sha256=file.sha256,
            created=file.created,
            indexes=indexes.get(file.sha256, []),
        )

    def _suffix_of(self, name: str) -> str:
        match = self._suffix().search(name)
        if match is None:
            raise Invalid(NOT_A_FASTA_NAME(name=name), field="file")
        return match[0]

    def _suffix(self) -> re.Pattern[str]:
        schema = self._workflows.get(PUBLISHED, WORKFLOW).params_schema
        return re.compile(flatten(schema)["properties"]["database"]["pattern"])


def _index(path: Path, about: dict[str, Any]) -> DatabaseIndex | None:
    """The index that the file at `path` describes; None for the empty table of a small database."""
    if not (match := ABOUT.fullmatch(path.name)):
        return None
    key = match[1]
    sizes = [part.stat().st_size for part in path.parent.glob(f"{key}_*") if part != path]
    if not any(sizes):
        return None
    return DatabaseIndex(
        key=key,
        part="table" if match[2] else "sequences",
        type=about["type"],
        sequences=about["sequences"],
        letters=about["letters"],
        release=about["mmseqs_version"],
        size=sum(sizes),
        built=datetime.fromtimestamp(path.stat().st_mtime, UTC),
    )
