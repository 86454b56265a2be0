"""Keeps filled forms of runs, so that they survive reloads, restarts and lost connections."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.access.actors import check_may_change, may_change
from services.catalogue import Catalogue
from services.database import Database
from services.database.drafts import StoredDraft
from services.errors import Invalid, Message, TooLarge
from services.models import Actor, Draft
from services.params import json_values
from services.settings import MIB

MAX_DRAFT_BYTES = MIB  # of the content as JSON
MAX_DRAFTS_PER_OWNER = 100  # one more deletes the one that was saved longest ago
RENEWAL_INTERVAL = timedelta(days=1)  # after which an unchanged draft is stored again

DIGEST = re.compile(r"[0-9a-f]{64}")

DRAFT_TOO_LARGE = Message(
    "body_too_large",
    "The draft has {size} bytes as JSON; the limit is {limit} bytes.",
    hint="Upload large tables as files.",
)
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
        if not may_change(actor) or json_values.INVALID_TEXT.search(workflow):
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
        if not json_values.INVALID_TEXT.search(workflow):
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
    for path, problem in json_values.invalid_values(content):
        raise Invalid(problem, field=json_values.field_name("content", *path))
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode())
    if size > MAX_DRAFT_BYTES:
        raise TooLarge(DRAFT_TOO_LARGE(size=size, limit=MAX_DRAFT_BYTES), field="content")
    return text
