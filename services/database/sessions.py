"""Sessions: one document for each signed-in browser. Only a digest of its secret is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import IndexModel
from pymongo.database import Database

from services.database.driver_errors import translate_method_errors
from services.database.paging import NEWEST_FIRST, identifier, milliseconds


@translate_method_errors
class SessionStore:
    """The collection `sessions`. A session refers to its token and holds no data of the user."""

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
        """Store a session, and delete all but the newest `most` sessions of its token."""
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
        self._sessions.delete_many({"_id": {"$in": [session["_id"] for session in older]}})

    def token_of(self, digest: str, *, now: datetime) -> str | None:
        """Return the id of the token that a session was started with; None if it has expired."""
        document = self._sessions.find_one({"digest": str(digest), "expires": {"$gt": now}})
        return str(document["token"]) if document else None

    def end(self, digest: str) -> None:
        self._sessions.delete_one({"digest": str(digest)})

    def end_all(self, token: str) -> None:
        """Delete all sessions that were started with a token."""
        self._sessions.delete_many({"token": identifier(token)})
