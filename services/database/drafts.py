"""Drafts: one document for each owner and workflow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import IndexModel
from pymongo.database import Database

from services.database.driver_errors import translate_method_errors
from services.database.paging import milliseconds

DRAFT_RETENTION = timedelta(days=30)  # after the last save
Document = dict[str, Any]


@dataclass(frozen=True)
class StoredDraft:
    """A draft as it is stored."""

    workflow: str
    digest: str  # of the workflow that the form was filled in for
    content: str  # JSON; a string, so that keys of users are never keys of the database
    checksum: str  # of digest and content, to compare drafts without reading them
    saved: datetime


@translate_method_errors
class DraftStore:
    """The collection `drafts`. Its `_id` has the owner and the workflow as separate fields."""

    def __init__(self, database: Database[Document]) -> None:
        self._drafts = database["drafts"]

    def create_indexes(self) -> None:
        self._drafts.create_indexes(
            [
                IndexModel([("_id.owner", 1), ("saved", -1)]),
                IndexModel("saved", expireAfterSeconds=int(DRAFT_RETENTION.total_seconds())),
            ]
        )

    def get(self, owner: str, workflow: str) -> StoredDraft | None:
        document = self._drafts.find_one({"_id": _id(owner, workflow)})
        if document is None:
            return None
        fields = {key: value for key, value in document.items() if key != "_id"}
        return StoredDraft(workflow=workflow, **fields)

    def last_save(self, owner: str, workflow: str) -> tuple[str, datetime] | None:
        """Return the checksum and the time of the last save without reading the content."""
        wanted = {"_id": 0, "checksum": 1, "saved": 1}
        document = self._drafts.find_one({"_id": _id(owner, workflow)}, wanted)
        return (document["checksum"], document["saved"]) if document else None

    def put(self, owner: str, draft: StoredDraft, *, most: int) -> StoredDraft:
        """Store a draft in place of an earlier one, and return it as stored.

        If it is a new one, delete all but the last saved `most` drafts of its owner.
        """
        fields: Document = {
            "digest": draft.digest,
            "content": draft.content,
            "checksum": draft.checksum,
            "saved": milliseconds(draft.saved),
        }
        key = {"_id": _id(owner, draft.workflow)}
        if self._drafts.replace_one(key, fields, upsert=True).upserted_id is not None:
            self._delete_oldest(owner, most)
        return StoredDraft(workflow=draft.workflow, **fields)

    def delete(self, owner: str, workflow: str) -> None:
        self._drafts.delete_one({"_id": _id(owner, workflow)})

    def _delete_oldest(self, owner: str, most: int) -> None:
        order = [("saved", -1), ("_id", -1)]
        of_owner = self._drafts.find({"_id.owner": str(owner)}, {"saved": 1})
        for document in of_owner.sort(order).skip(most):
            self._drafts.delete_one(document)  # unless it has been saved again since


def _id(owner: str, workflow: str) -> Document:
    return {"owner": str(owner), "workflow": str(workflow)}
