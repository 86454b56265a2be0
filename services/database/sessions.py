"""Sessions: one document for each browser that is signed in; a digest instead of its secret."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import IndexModel
from pymongo.database import Database

from services.database.driver_errors import guarded
from services.database.paging import NEWEST_FIRST, identifier, milliseconds


@guarded
class SessionStore:
    """The collection `sessions`. A session names its token and knows nothing else of the user."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._sessions = database["sessions"]

    def create_indexes(self) -> None:
        self._sessions.create_indexes(
            [
                IndexModel("digest", unique=True),
                IndexModel([("token", 1), *NEWEST_FIRST]),
                IndexModel("expires", expireAfterSeconds=0),
            ]
        )

    def add(self, digest: str, *, token: str, now: datetime, expires: datetime, most: int) -> None:
        """Keep a new one; of those of its token only the newest `most` stay."""
        of_token = {"token": identifier(token)}
        self._sessions.insert_one(
            {
                "_id": ObjectId(),
                "digest": digest,
                **of_token,
                "created": milliseconds(now),
                "expires": milliseconds(expires),
            }
        )
        older = self._sessions.find(of_token, {"_id": 1}).sort(NEWEST_FIRST).skip(most)
        self._sessions.delete_many({"_id": {"$in": [one["_id"] for one in older]}})

    def token_of(self, digest: str, *, now: datetime) -> str | None:
        """The id of the token that the session with that digest began with."""
        found = self._sessions.find_one({"digest": str(digest), "expires": {"$gt": now}})
        return str(found["token"]) if found else None

    def end(self, digest: str) -> None:
        self._sessions.delete_one({"digest": str(digest)})

    def end_all(self, token: str) -> None:
        """End those that began with that token."""
        self._sessions.delete_many({"token": identifier(token)})
