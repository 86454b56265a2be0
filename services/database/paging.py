"""Keyset pages over (created, _id), newest first: a deep page costs what the first one costs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from bson import ObjectId
from bson.errors import InvalidId
from pymongo.collection import Collection

from services.errors import Invalid
from services.models import Page

T = TypeVar("T")

NEWEST_FIRST = [("created", -1), ("_id", -1)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(now: datetime) -> datetime:
    """`now` as MongoDB keeps it: whole milliseconds."""
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def identifier(text: str) -> ObjectId | None:
    """The ObjectId that `text` spells, or None: what is no id matches nothing."""
    return ObjectId(text) if isinstance(text, str) and ObjectId.is_valid(text) else None


def page(
    collection: Collection[dict[str, Any]],
    query: dict[str, Any],
    after: str | None,
    limit: int,
    read: Callable[[dict[str, Any]], T],
) -> Page[T]:
    """One page of `query`. Raises Invalid for a token that we did not give."""
    clauses = [query] + ([_older(after)] if after else [])
    cursor = collection.find({"$and": clauses}).sort(NEWEST_FIRST).limit(limit + 1)
    found = list(cursor)
    shown = found[:limit]
    token = _token(shown[-1]) if len(found) > limit else None
    return Page(items=[read(document) for document in shown], next=token)


def _token(document: dict[str, Any]) -> str:
    age = (document["created"] - EPOCH) // timedelta(milliseconds=1)
    return base64.urlsafe_b64encode(f"{age}:{document['_id']}".encode()).decode()


def _older(token: str) -> dict[str, Any]:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode("ascii")
        age, _, last = text.partition(":")
        created = EPOCH + timedelta(milliseconds=int(age))
        last_id = ObjectId(last)
    except (binascii.Error, ValueError, OverflowError, InvalidId) as error:
        raise Invalid(
            "This is not a token of an earlier page.",
            field="after",
            hint="Use the `next` of the page before, or leave it out.",
        ) from error
    return {"$or": [{"created": {"$lt": created}}, {"created": created, "_id": {"$lt": last_id}}]}
