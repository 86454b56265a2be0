"""Imports: files that the runner downloads or copies; one document each, claimed with a lease."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import IndexModel, ReturnDocument
from pymongo.database import Database

from services.database.driver_errors import translate_method_errors
from services.database.paging import NEWEST_FIRST, identifier, milliseconds, page
from services.models import Import, Page, State

FINISHED_IMPORT_RETENTION = timedelta(days=7)
HIDDEN_FIELDS = ("_id", "lease", "named")
Document = dict[str, Any]


@dataclass(frozen=True)
class ImportClaim:
    """An import that a runner is doing. Every write needs the token of the latest claim."""

    item: Import
    token: str
    named: bool  # whether its name is final; otherwise the host may send another one


@translate_method_errors
class ImportStore:
    """The collection `imports`. `owner=None` means any owner."""

    def __init__(self, database: Database[Document]) -> None:
        self._imports = database["imports"]

    def create_indexes(self) -> None:
        self._imports.create_indexes(
            [
                IndexModel([("owner", 1), *NEWEST_FIRST]),
                IndexModel(NEWEST_FIRST),
                IndexModel([("state", 1), ("created", 1)]),
                IndexModel(
                    "ended", expireAfterSeconds=int(FINISHED_IMPORT_RETENTION.total_seconds())
                ),
            ]
        )

    def add(
        self,
        *,
        owner: str,
        url: str | None,
        inbox: str | None,
        name: str,
        named: bool,
        now: datetime,
    ) -> Import:
        document = {
            "_id": ObjectId(),
            "owner": owner,
            "url": url,
            "inbox": inbox,
            "name": name,
            "named": named,
            "state": State.QUEUED.value,
            "size": None,
            "received": 0,
            "attempts": 0,
            "created": milliseconds(now),
            "started": None,
            "ended": None,
            "error": None,
            "hint": "",
            "file": None,
        }
        self._imports.insert_one(document)
        return _import(document)

    def get(self, import_id: str, owner: str | None) -> Import | None:
        document = self._imports.find_one(_by_id(import_id, owner))
        return _import(document) if document else None

    def page(self, owner: str | None, *, after: str | None, limit: int) -> Page[Import]:
        query: Document = {} if owner is None else {"owner": owner}
        return page(self._imports, query, after, limit, _import)

    def delete(self, import_id: str, owner: str | None) -> bool:
        return self._imports.delete_one(_by_id(import_id, owner)).deleted_count == 1

    def unfinished(self, owner: str) -> int:
        """Count the imports of an owner that have not finished."""
        states = [State.QUEUED.value, State.RUNNING.value]
        return self._imports.count_documents({"owner": owner, "state": {"$in": states}})

    def claim(self, *, host: str, now: datetime, lease: timedelta) -> ImportClaim | None:
        """Claim the import that has waited longest; None when none is queued."""
        token = secrets.token_hex(8)
        document = self._imports.find_one_and_update(
            {"state": State.QUEUED.value},
            {
                "$set": {
                    "state": State.RUNNING.value,
                    "lease": {"host": host, "token": token, "until": now + lease},
                    "received": 0,
                    "started": milliseconds(now),
                },
                "$inc": {"attempts": 1},
            },
            sort=[("created", 1)],
            return_document=ReturnDocument.AFTER,
        )
        if document is None:
            return None
        return ImportClaim(_import(document), token, document.get("named", True))

    def renew(
        self, claim: ImportClaim, *, received: int, size: int | None, until: datetime
    ) -> bool:
        """Extend the lease and store the progress; False when the claim is no longer valid."""
        put = {"received": received, "size": size, "lease.until": until}
        return self._imports.update_one(_held(claim), {"$set": put}).matched_count == 1

    def finish(self, claim: ImportClaim, *, file: str, name: str, size: int, now: datetime) -> bool:
        """Record the registered file; False when the claim is no longer valid."""
        put = {"file": file, "name": name, "received": size, "size": size}
        return self._end(_held(claim), State.COMPLETE, now, put)

    def fail(
        self, claim: ImportClaim, state: State, *, error: str, hint: str, now: datetime
    ) -> bool:
        """Record why the import failed; False when the claim is no longer valid."""
        return self._end(_held(claim), state, now, {"error": error, "hint": hint})

    def release(self, *, now: datetime, most: int, error: str, host: str | None = None) -> None:
        """Requeue imports whose lease has expired, or all that `host` held before its restart.

        Imports with `most` attempts fail with `error` instead.
        """
        lost: Document = {"state": State.RUNNING.value, "lease.until": {"$lt": now}}
        if host is not None:
            lost = {"state": State.RUNNING.value, "lease.host": host}
        put = {"state": State.SYSTEM_ERROR.value, "ended": milliseconds(now), "error": error}
        drop = {"lease": ""}
        self._imports.update_many(
            {**lost, "attempts": {"$gte": most}}, {"$set": put, "$unset": drop}
        )
        self._imports.update_many(lost, {"$set": {"state": State.QUEUED.value}, "$unset": drop})

    def _end(self, held: Document, state: State, now: datetime, put: Document) -> bool:
        put = {**put, "state": state.value, "ended": milliseconds(now)}
        changed = self._imports.update_one(held, {"$set": put, "$unset": {"lease": ""}})
        return changed.matched_count == 1


def _by_id(import_id: str, owner: str | None) -> Document:
    query: Document = {"_id": identifier(import_id)}
    if owner is not None:
        query["owner"] = owner
    return query


def _held(claim: ImportClaim) -> Document:
    return {
        "_id": identifier(claim.item.id),
        "state": State.RUNNING.value,
        "lease.token": claim.token,
    }


def _import(document: Document) -> Import:
    fields = {key: value for key, value in document.items() if key not in HIDDEN_FIELDS}
    return Import(id=str(document["_id"]), **fields)
