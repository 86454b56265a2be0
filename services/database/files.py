"""Registered files: one document each. Their content is on disk, addressed by its sha256."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import IndexModel, ReturnDocument
from pymongo.database import Database

from services.database.driver_errors import translate_method_errors
from services.database.paging import NEWEST_FIRST, identifier, milliseconds, page
from services.models import File, Page

#: Also gives the names of an owner's files without their documents.
NAME_INDEX = [("owner", 1), ("sha256", 1), ("name", 1)]


@translate_method_errors
class FileStore:
    """The collection `files`. `owner=None` means any owner."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._files = database["files"]

    def create_indexes(self) -> None:
        self._files.create_indexes(
            [
                IndexModel(NAME_INDEX, unique=True),
                IndexModel([("owner", 1), *NEWEST_FIRST]),
                IndexModel(NEWEST_FIRST),
                IndexModel("sha256"),
            ]
        )

    def add(
        self, *, owner: str, name: str, size: int, sha256: str, kind: str, now: datetime
    ) -> File:
        """Register a file, or return the one with the same owner, name and content."""
        document = self._files.find_one_and_update(
            {"owner": owner, "sha256": sha256, "name": name},
            {"$setOnInsert": {"size": size, "kind": kind, "created": milliseconds(now)}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert document is not None  # an upsert always returns a document
        return _file(document)

    def get(self, file_id: str, owner: str | None) -> File | None:
        document = self._files.find_one(_by_id(file_id, owner))
        return _file(document) if document else None

    def by_ids(self, file_ids: Iterable[str], owner: str | None) -> Iterator[File]:
        """Yield the files with these ids; unknown ids are skipped."""
        query: dict[str, Any] = {"_id": {"$in": [identifier(file_id) for file_id in file_ids]}}
        if owner is not None:
            query["owner"] = owner
        yield from map(_file, self._files.find(query))

    def by_names(self, names: Iterable[str], owner: str) -> Iterator[File]:
        """Yield the files of an owner with any of these names."""
        query = {"owner": owner, "name": {"$in": [str(name) for name in names]}}
        yield from map(_file, self._files.find(query))

    def names(self, owner: str) -> Iterator[str]:
        """Yield the names of all files of an owner, from an index; some may occur repeatedly."""
        names = self._files.find({"owner": owner}, {"_id": 0, "name": 1})
        yield from (document["name"] for document in names.hint(NAME_INDEX))

    def by_content(self, sha256: Iterable[str], owner: str) -> Sequence[File]:
        """Return the files of an owner with any of these contents, newest first."""
        query = {"owner": owner, "sha256": {"$in": [str(digest) for digest in sha256]}}
        return [_file(document) for document in self._files.find(query).sort(NEWEST_FIRST)]

    def page(
        self, owner: str | None, *, text: str, kind: str, after: str | None, limit: int
    ) -> Page[File]:
        query: dict[str, Any] = {}
        if owner is not None:
            query["owner"] = owner
        if kind:
            query["kind"] = str(kind)
        if text:
            query["name"] = {"$regex": re.escape(str(text)), "$options": "i"}
        return page(self._files, query, after, limit, _file)

    def delete(self, file_id: str, owner: str | None) -> bool:
        return self._files.delete_one(_by_id(file_id, owner)).deleted_count == 1

    def holds(self, sha256: str) -> bool:
        """Return whether any file has this content."""
        return self._files.find_one({"sha256": str(sha256)}, {"_id": 1}) is not None


def _by_id(file_id: str, owner: str | None) -> dict[str, Any]:
    query: dict[str, ObjectId | str | None] = {"_id": identifier(file_id)}
    if owner is not None:
        query["owner"] = owner
    return query


def _file(document: dict[str, Any]) -> File:
    fields = {key: value for key, value in document.items() if key != "_id"}
    return File(id=str(document["_id"]), **fields)
