"""The connection to MongoDB and the stores that use it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pymongo
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.database import Database as MongoDatabase
from pymongo.errors import OperationFailure

from services.database.changes import QueueChanges
from services.database.drafts import DraftStore
from services.database.driver_errors import translate_errors
from services.database.files import FileStore
from services.database.hosts import HostStore
from services.database.imports import ImportStore
from services.database.installations import InstallationStore
from services.database.jobs import JobStore
from services.database.queue import QueueStore
from services.database.runs import RunStore
from services.database.sessions import SessionStore
from services.database.tokens import TokenStore
from services.database.uploads import UploadStore
from services.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

OPERATION_TIMEOUT_S = 2.5  # short, because a person waits for the page or reply
PING_INTERVAL_S = 0.5


class Database:
    """The database of Rundesk. Create it after a fork, never before (PyMongo is not fork-safe)."""

    def __init__(self, uri: str, name: str, *, patience: float = OPERATION_TIMEOUT_S) -> None:
        """`patience` is the timeout of each operation in seconds, server selection included."""
        options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)
        self._client: MongoClient[dict[str, Any]] = MongoClient(
            uri,
            appname="rundesk",
            timeoutMS=int(patience * 1000),
            serverSelectionTimeoutMS=int(patience * 1000),
            connectTimeoutMS=int(min(patience, 5) * 1000),
            serverMonitoringMode="poll",  # saves a thread and a connection for each run
        )
        self._database: MongoDatabase[dict[str, Any]] = self._client.get_database(
            name, codec_options=options
        )
        self.runs = RunStore(self._database)
        self.queue = QueueStore(self._database)
        self.jobs = JobStore(self._database)
        self.files = FileStore(self._database)
        self.uploads = UploadStore(self._database)
        self.imports = ImportStore(self._database)
        self.tokens = TokenStore(self._database)
        self.sessions = SessionStore(self._database)
        self.drafts = DraftStore(self._database)
        self.hosts = HostStore(self._database)
        self.installations = InstallationStore(self._database)

    @translate_errors
    def ping(self) -> None:
        """Raises DatabaseUnavailable unless a primary answers."""
        try:
            hello = self._client.admin.command("hello")
        except OperationFailure as error:  # such as a wrong password
            raise DatabaseUnavailable from error
        if not hello.get("isWritablePrimary"):
            raise DatabaseUnavailable

    def wait(
        self, seconds: float | None = None, *, on_wait: Callable[[], None] = lambda: None
    ) -> None:
        """Block until a primary answers. Raises DatabaseUnavailable after `seconds`, if given.

        `on_wait` is called once when there is none, and may raise.
        """
        end = None if seconds is None else time.monotonic() + seconds
        logged = False
        while True:
            try:
                self.ping()
                return
            except DatabaseUnavailable:
                if end is not None and time.monotonic() > end:
                    raise
                if not logged:
                    log.info("waiting for the database")
                    on_wait()
                    logged = True
                time.sleep(PING_INTERVAL_S)

    @translate_errors
    def create_indexes(self) -> None:
        """Create the indexes that do not exist yet, however long that takes.

        An index of a large collection takes longer than any other operation may; one that is
        aborted is built from the start.
        """
        with pymongo.timeout(None):
            self._create_indexes()

    def _create_indexes(self) -> None:
        for store in (
            self.runs,
            self.queue,
            self.jobs,
            self.files,
            self.uploads,
            self.imports,
            self.tokens,
            self.sessions,
            self.drafts,
            self.hosts,
        ):
            store.create_indexes()

    def queue_changes(self, on_change: Callable[[], None]) -> QueueChanges:
        """Return a watcher that calls `on_change` when runs are queued or end; start it."""
        return QueueChanges(self._database["runs"], on_change)

    def close(self) -> None:
        self._client.close()
