"""Keyset pagination by (created, _id), newest first: every page costs as much as the first."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from bson import ObjectId
from bson.errors import InvalidId
from pymongo.collection import Collection

from services.errors import Invalid, Message
from services.models import Page

log = logging.getLogger(__name__)

T = TypeVar("T")

NEWEST_FIRST = [("created", -1), ("_id", -1)]
MAX_COUNTED = 1000  # counting more takes too long
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INVALID_PAGE_TOKEN = Message(
    "wrong_format",
    "Invalid page token.",
    hint="Use `next` from the previous page, or omit this parameter to get the first page.",
)


def milliseconds(now: datetime) -> datetime:
    """Return `now` in whole milliseconds, the precision of MongoDB."""
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def identifier(text: str) -> ObjectId | None:
    """Return `text` as an ObjectId, or None, which matches no document."""
    return ObjectId(text) if isinstance(text, str) and ObjectId.is_valid(text) else None


def page(
    collection: Collection[dict[str, Any]],
    query: dict[str, Any],
    after: str | None,
    limit: int,
    read: Callable[[dict[str, Any]], T],
    *,
    oldest_first: bool = False,
) -> Page[T]:
    """Return one page of `query`. Raises Invalid for a token that is not from an earlier page."""
    clauses = [query] + ([_beyond(after, "$gt" if oldest_first else "$lt")] if after else [])
    order = [(key, -way if oldest_first else way) for key, way in NEWEST_FIRST]
    cursor = collection.find({"$and": clauses}).sort(order).limit(limit + 1)
    documents = list(cursor)
    shown = documents[:limit]
    token = _token(shown[-1]) if len(documents) > limit else None
    return Page(items=list(_readable(shown, read)), next=token)


def _readable(
    documents: Iterable[dict[str, Any]], read: Callable[[dict[str, Any]], T]
) -> Iterator[T]:
    """Yield what the documents hold. One that cannot be read is logged, and hides no other."""
    for document in documents:
        try:
            yield read(document)
        except (KeyError, TypeError, ValueError):
            log.exception("the document %s cannot be read", document.get("_id"))


def counted(
    page: Page[T], collection: Collection[dict[str, Any]], query: dict[str, Any], *, first: bool
) -> Page[T]:
    """Return a page with the total of `query`, of which at most MAX_COUNTED are counted.

    `first`: it is the first page, which has the total if it is the only one.
    """
    total = len(page.items)
    if page.next is not None or not first:
        total = collection.count_documents(query, limit=MAX_COUNTED + 1)
    capped = total > MAX_COUNTED
    update = {"total": min(total, MAX_COUNTED), "total_capped": capped}
    return page.model_copy(update=update)


def _token(document: dict[str, Any]) -> str:
    age = (document["created"] - EPOCH) // timedelta(milliseconds=1)
    return base64.urlsafe_b64encode(f"{age}:{document['_id']}".encode()).decode()


def _beyond(token: str, way: str) -> dict[str, Any]:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode("ascii")
        age, _, last = text.partition(":")
        created = EPOCH + timedelta(milliseconds=int(age))
        last_id = ObjectId(last)
    except (binascii.Error, ValueError, OverflowError, InvalidId) as error:
        raise Invalid(INVALID_PAGE_TOKEN(), field="after") from error
    return {"$or": [{"created": {way: created}}, {"created": created, "_id": {way: last_id}}]}
