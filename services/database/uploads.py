"""Uploads: one document each. The number of bytes received is the size of a file on disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.database import Database

from services.database.driver_errors import translate_method_errors
from services.database.paging import milliseconds


@dataclass(frozen=True)
class Record:
    """An upload as it was created, and the file that it became."""

    id: str
    owner: str
    name: str
    size: int  # bytes of the whole file
    metadata: str  # of the tus header Upload-Metadata, as sent
    created: datetime
    file: str | None  # id of the registered file; None until the upload has finished


@translate_method_errors
class UploadStore:
    """The collection `uploads`. `owner=None` means any owner."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._uploads = database["uploads"]

    def create_indexes(self) -> None:
        self._uploads.create_index("created")

    def add(
        self, upload_id: str, *, owner: str, name: str, size: int, metadata: str, now: datetime
    ) -> Record:
        record = Record(upload_id, owner, name, size, metadata, milliseconds(now), None)
        fields = {key: value for key, value in vars(record).items() if key != "id"}
        self._uploads.insert_one({"_id": upload_id, **fields})
        return record

    def get(self, upload_id: str, owner: str | None) -> Record | None:
        query = {"_id": str(upload_id)}
        if owner is not None:
            query["owner"] = owner
        document = self._uploads.find_one(query)
        return _record(document) if document else None

    def finish(self, upload_id: str, file_id: str) -> Record | None:
        """Record the registered file; None when the upload no longer exists."""
        document = self._uploads.find_one_and_update(
            {"_id": str(upload_id)},
            {"$set": {"file": file_id}},
            return_document=ReturnDocument.AFTER,
        )
        return _record(document) if document else None

    def delete(self, upload_id: str) -> None:
        self._uploads.delete_one({"_id": str(upload_id)})

    def due(self, before: datetime) -> list[Record]:
        """Return the unfinished uploads, and all that were created earlier than `before`."""
        query = {"$or": [{"file": None}, {"created": {"$lt": before}}]}
        return [_record(document) for document in self._uploads.find(query)]


def _record(document: dict[str, Any]) -> Record:
    fields = {key: value for key, value in document.items() if key != "_id"}
    return Record(id=document["_id"], **fields)
