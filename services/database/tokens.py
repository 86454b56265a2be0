"""Tokens: one document each. Only a digest of the secret is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import IndexModel
from pymongo.database import Database

from services.database.driver_errors import translate_method_errors
from services.database.paging import NEWEST_FIRST, identifier, milliseconds
from services.models import Scope, Token

EXPIRED_TOKEN_RETENTION = timedelta(days=30)  # so that lists show for a while that it expired
LAST_USED_PRECISION = timedelta(minutes=5)  # so that not every request writes to the database


@translate_method_errors
class TokenStore:
    """The collection `tokens`. `owner=None` means any owner."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._tokens = database["tokens"]

    def create_indexes(self) -> None:
        self._tokens.create_indexes(
            [
                IndexModel("digest", unique=True),
                IndexModel([("owner", 1), *NEWEST_FIRST]),
                IndexModel(
                    "expires", expireAfterSeconds=int(EXPIRED_TOKEN_RETENTION.total_seconds())
                ),
            ]
        )

    def add(
        self, digest: str, *, name: str, owner: str, scope: Scope, now: datetime, expires: datetime
    ) -> Token:
        document = {
            "_id": ObjectId(),
            "digest": digest,
            "name": name,
            "owner": owner,
            "scope": scope.value,
            "created": milliseconds(now),
            "expires": milliseconds(expires),
            "used": None,
        }
        self._tokens.insert_one(document)
        return _token(document)

    def by_digest(self, digest: str, *, now: datetime) -> Token | None:
        """Return the token with this digest of its secret, expired ones too; update `used`."""
        return self._find({"digest": str(digest)}, now)

    def by_id(self, token_id: str, *, now: datetime) -> Token | None:
        """Return the token with this id, expired ones too; update `used`."""
        return self._find({"_id": identifier(token_id)}, now)

    def _find(self, query: dict[str, Any], now: datetime) -> Token | None:
        document = self._tokens.find_one(query)
        if document is None:
            return None
        idle = document["used"] is None or now - document["used"] > LAST_USED_PRECISION
        if idle and document["expires"] > now:
            self._tokens.update_one({"_id": document["_id"]}, {"$max": {"used": now}})
        return _token(document)

    def list(self, owner: str | None) -> Sequence[Token]:
        """Newest first."""
        query = {} if owner is None else {"owner": str(owner)}
        return [_token(document) for document in self._tokens.find(query).sort(NEWEST_FIRST)]

    def count(self, owner: str) -> int:
        return self._tokens.count_documents({"owner": str(owner)})

    def delete(self, token_id: str, owner: str | None) -> bool:
        """Delete a token; return whether it existed."""
        query: dict[str, Any] = {"_id": identifier(token_id)}
        if owner is not None:
            query["owner"] = str(owner)
        return self._tokens.delete_one(query).deleted_count == 1


def _token(document: dict[str, Any]) -> Token:
    fields = {key: value for key, value in document.items() if key not in ("_id", "digest")}
    return Token(id=str(document["_id"]), **fields)
