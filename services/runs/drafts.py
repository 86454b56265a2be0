"""Keeps filled forms of runs, so that they survive reloads, restarts and lost connections."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.access.actors import check_may_change, may_change
from services.catalogue import Catalogue
from services.database import Database
from services.database.drafts import StoredDraft
from services.errors import Invalid, Message, Text, TooLarge
from services.models import Actor, Draft
from services.settings import MIB

MAX_DRAFT_BYTES = MIB  # of the content as JSON
MAX_DRAFT_DEPTH = 32  # levels of objects and lists, as in JSON bodies of the API
MAX_DRAFTS_PER_OWNER = 100  # one more deletes the one that was saved longest ago
RENEWAL_INTERVAL = timedelta(days=1)  # after which an unchanged draft is stored again
MAX_FIELD_CHARACTERS = 200
MIN_INT64, MAX_INT64 = -(2**63), 2**63 - 1  # the integers that JSON bodies may have

INVALID_TEXT = re.compile("[\0\ud800-\udfff]")  # NUL, and surrogates: no valid UTF-8
DIGEST = re.compile(r"[0-9a-f]{64}")

DRAFT_TOO_LARGE = Message(
    "body_too_large",
    "The draft has {size} bytes as JSON; the limit is {limit} bytes.",
    hint="Upload large tables as files.",
)
TOO_DEEP = Message("too_deep", "Must not be nested deeper than {limit} levels.")
NOT_A_JSON_VALUE = Message("wrong_type", "Must be a JSON value, not of the type {type}.")
NOT_A_JSON_KEY = Message("wrong_type", "Keys must be strings, not of the type {type}.")
INVALID_CHARACTERS = Message(
    "invalid_characters", "Must not contain NUL characters or unpaired surrogates."
)
NOT_FINITE = Message("out_of_range", "Must be a finite number.")
NOT_64_BIT = Message("out_of_range", "Integers must fit in 64 bits.")
WRONG_DIGEST = Message(
    "wrong_format", "The digest of a workflow must have 64 lowercase hexadecimal characters."
)


class Drafts:
    """The drafts of all users: at most one for each user and workflow.

    They belong to the user, not to a token or session, and only their owner can read them.
    Administrators cannot.
    """

    def __init__(self, database: Database, workflows: Catalogue) -> None:
        self._store = database.drafts
        self._workflows = workflows

    def get(self, actor: Actor, workflow: str) -> Draft | None:
        """Return the draft of the actor for a workflow; None if there is none.

        It is returned even if the workflow has changed or was removed, or its files were deleted.
        Read-only actors have no drafts.
        """
        if not may_change(actor) or INVALID_TEXT.search(workflow):
            return None
        stored = self._store.get(actor.id, workflow)
        return _draft(stored, json.loads(stored.content)) if stored else None

    def save(
        self, actor: Actor, workflow: str, content: dict[str, Any], *, digest: str | None = None
    ) -> Draft:
        """Keep a filled form in place of an earlier one, and return it.

        `content` has plain JSON values; `digest` is that of the workflow that the form was filled
        in for, by default the current one. Saving the same draft again writes nothing for a day.
        Raises Forbidden for read-only actors, NotFound for an unknown workflow, and Invalid or
        TooLarge for content that cannot be stored.
        """
        check_may_change(actor)
        current = self._workflows.get(actor, workflow)
        digest = current.digest if digest is None else _checked_digest(digest)
        text = _json(content)
        draft = StoredDraft(
            workflow=current.name,
            digest=digest,
            content=text,
            checksum=hashlib.sha256(f"{digest}\n{text}".encode()).hexdigest(),
            saved=datetime.now(UTC),
        )
        if last := self._store.last_save(actor.id, draft.workflow):
            checksum, saved = last
            if checksum == draft.checksum and draft.saved - saved < RENEWAL_INTERVAL:
                return _draft(replace(draft, saved=saved), content)
        return _draft(self._store.put(actor.id, draft, most=MAX_DRAFTS_PER_OWNER), content)

    def discard(self, actor: Actor, workflow: str) -> None:
        """Delete the draft of the actor for a workflow, if there is one."""
        check_may_change(actor)
        if not INVALID_TEXT.search(workflow):
            self._store.delete(actor.id, workflow)


def _draft(stored: StoredDraft, content: dict[str, Any]) -> Draft:
    return Draft(
        workflow=stored.workflow, digest=stored.digest, content=content, saved=stored.saved
    )


def _checked_digest(digest: str) -> str:
    if not DIGEST.fullmatch(digest):
        raise Invalid(WRONG_DIGEST(), field="digest")
    return digest


def _json(content: dict[str, Any]) -> str:
    """Return `content` as JSON. Raises Invalid, TooLarge."""
    _check_values(content)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode())
    if size > MAX_DRAFT_BYTES:
        raise TooLarge(DRAFT_TOO_LARGE(size=size, limit=MAX_DRAFT_BYTES), field="content")
    return text


def _check_values(content: dict[str, Any]) -> None:
    """Raise Invalid for a value that JSON does not return as it was; without recursion."""
    waiting: list[tuple[tuple[Any, ...], Any]] = [(("content",), content)]
    while waiting:
        path, container = waiting.pop()
        if len(path) > MAX_DRAFT_DEPTH:
            raise Invalid(TOO_DEEP(limit=MAX_DRAFT_DEPTH), field=_field(path))
        for key, item in container.items() if isinstance(container, dict) else enumerate(container):
            text = _key_problem(key) if isinstance(container, dict) else None
            if text := text or _value_problem(item):
                raise Invalid(text, field=_field((*path, key)))
            if isinstance(item, dict | list):
                waiting.append(((*path, key), item))


def _key_problem(key: Any) -> Text | None:
    if not isinstance(key, str):
        return NOT_A_JSON_KEY(type=type(key).__name__)
    return INVALID_CHARACTERS() if INVALID_TEXT.search(key) else None


def _value_problem(value: Any) -> Text | None:
    if isinstance(value, str):
        return INVALID_CHARACTERS() if INVALID_TEXT.search(value) else None
    if isinstance(value, float):
        return None if math.isfinite(value) else NOT_FINITE()
    if isinstance(value, int):
        return None if MIN_INT64 <= value <= MAX_INT64 else NOT_64_BIT()
    if value is None or isinstance(value, dict | list):
        return None
    return NOT_A_JSON_VALUE(type=type(value).__name__)


def _field(path: tuple[Any, ...]) -> str:
    """Return the name of a field in a problem: short, and valid text."""
    return INVALID_TEXT.sub(
        "\N{REPLACEMENT CHARACTER}", ".".join(map(str, path))[:MAX_FIELD_CHARACTERS]
    )
