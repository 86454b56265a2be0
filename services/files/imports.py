"""Imports: files that the server fetches itself, from an allowed host or from the inbox."""

from __future__ import annotations

from datetime import UTC, datetime

from services.access.actors import check_may_change, scope
from services.database import Database
from services.errors import Conflict, Invalid, Message, NotFound
from services.files import Files
from services.files.downloads import Fetcher
from services.files.inbox import Inbox
from services.models import Actor, Import, ImportRequest, Page

MAX_UNFINISHED_PER_OWNER = 100

IMPORT_NOT_FOUND = Message(
    "not_found", "Import not found.", hint="It was deleted or belongs to another user."
)
TOO_MANY_IMPORTS = Message(
    "limit_reached",
    "{owner} already has {limit} unfinished imports.",
    hint="Wait until some of them have finished.",
)
URL_OR_INBOX = Message(
    "conflicting_fields",
    "Either a URL or a path in the inbox is required.",
    hint="Send `url` or `inbox`, not both.",
)
NAME_REQUIRED = Message(
    "missing", "A name is required because the URL does not contain one.", hint="Send `name`."
)


class Imports:
    """The imports of all owners. The runner executes them, see `services/files/importer.py`."""

    def __init__(self, database: Database, files: Files, fetcher: Fetcher, inbox: Inbox) -> None:
        self._store = database.imports
        self._files = files
        self._fetcher = fetcher
        self._inbox = inbox

    def create(self, actor: Actor, request: ImportRequest) -> Import:
        """Queue an import.

        Raises Invalid for a source that is not allowed, NotFound or Conflict for a file of the
        inbox, Conflict when the owner has too many unfinished imports.
        """
        check_may_change(actor)
        url, name = self._source(actor, request)
        self._files.check(name, None)
        if self._store.unfinished(actor.id) >= MAX_UNFINISHED_PER_OWNER:
            raise Conflict(TOO_MANY_IMPORTS(owner=actor.id, limit=MAX_UNFINISHED_PER_OWNER))
        return self._store.add(
            owner=actor.id, url=url, inbox=request.inbox, name=name, now=datetime.now(UTC)
        )

    def get(self, actor: Actor, import_id: str) -> Import:
        """Return an import. Raises NotFound."""
        item = self._store.get(import_id, scope(actor))
        if item is None:
            raise NotFound(IMPORT_NOT_FOUND())
        return item

    def list(self, actor: Actor, *, after: str | None = None, limit: int = 50) -> Page[Import]:
        """Return a page of imports, newest first."""
        return self._store.page(scope(actor), after=after, limit=limit)

    def delete(self, actor: Actor, import_id: str) -> None:
        """Stop an import if it is unfinished, and delete it; its registered file stays."""
        check_may_change(actor)
        if not self._store.delete(import_id, scope(actor)):
            raise NotFound(IMPORT_NOT_FOUND())

    def _source(self, actor: Actor, request: ImportRequest) -> tuple[str | None, str]:
        """The URL in the form that will be requested, or None, and the name of the file."""
        if (request.url is None) == (request.inbox is None):
            raise Invalid(URL_OR_INBOX(), field="url")
        if request.inbox is not None:
            self._inbox.check(actor, request.inbox)
            return None, request.name or request.inbox.rpartition("/")[2]
        target = self._fetcher.target(request.url or "")
        if not (request.name or target.name):
            raise Invalid(NAME_REQUIRED(), field="name")
        return target.url, request.name or target.name
