"""Imports: files fetched by the desk itself, from an allowed host or from the inbox."""

from __future__ import annotations

from datetime import UTC, datetime

from services.access.actors import check_may_change, scope
from services.database import Database
from services.errors import Conflict, Invalid, NotFound
from services.files import Files
from services.files.downloads import Fetcher
from services.files.inbox import Inbox
from services.models import Actor, Import, ImportRequest, Page

MOST = 100  # of one owner that wait or are at work


class Imports:
    """The imports of all owners. The runner does them, see `services/files/importer.py`."""

    def __init__(self, database: Database, files: Files, fetcher: Fetcher, inbox: Inbox) -> None:
        self._store = database.imports
        self._files = files
        self._fetcher = fetcher
        self._inbox = inbox

    def create(self, actor: Actor, request: ImportRequest) -> Import:
        """Queue an import. Raises Invalid for what is not allowed, NotFound for the inbox."""
        check_may_change(actor)
        url, name = self._source(actor, request)
        self._files.check(name, None)
        if self._store.unfinished(actor.id) >= MOST:
            raise Conflict(
                f"{MOST} imports of yours are not over yet.", hint="Wait until some of them are."
            )
        return self._store.add(
            owner=actor.id, url=url, inbox=request.inbox, name=name, now=datetime.now(UTC)
        )

    def get(self, actor: Actor, import_id: str) -> Import:
        found = self._store.get(import_id, scope(actor))
        if found is None:
            raise NotFound("There is no such import.", hint="It was ended, or is not yours.")
        return found

    def list(self, actor: Actor, *, after: str | None = None, limit: int = 50) -> Page[Import]:
        """Newest first."""
        return self._store.page(scope(actor), after=after, limit=limit)

    def delete(self, actor: Actor, import_id: str) -> None:
        """End an import that is not over, and forget it; a file that it became stays."""
        check_may_change(actor)
        if not self._store.delete(import_id, scope(actor)):
            raise NotFound("There is no such import.")

    def _source(self, actor: Actor, request: ImportRequest) -> tuple[str | None, str]:
        """The address as it will be asked, if it is one; and what to call the file."""
        if (request.url is None) == (request.inbox is None):
            raise Invalid(
                "Give either the address of a file, or its path in the inbox.",
                field="url",
                hint="Send `url` or `inbox`, not both.",
            )
        if request.inbox is not None:
            self._inbox.check(actor, request.inbox)
            return None, request.name or request.inbox.rpartition("/")[2]
        target = self._fetcher.target(request.url or "")
        if not (request.name or target.name):
            raise Invalid("The address does not say what to call the file.", field="name")
        return target.url, request.name or target.name
