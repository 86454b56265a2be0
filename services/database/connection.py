"""One connection to MongoDB and the stores behind it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.database import Database as MongoDatabase

from services.database.changes import QueueChanges
from services.database.driver_errors import translated
from services.database.files import FileStore
from services.database.imports import ImportStore
from services.database.jobs import JobStore
from services.database.queue import QueueStore
from services.database.runs import RunStore
from services.database.sessions import SessionStore
from services.database.tokens import TokenStore
from services.database.uploads import UploadStore
from services.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

PATIENCE = 2.5  # s; what stands before a person fails fast
BETWEEN_TRIES = 0.5  # s


class Database:
    """MongoDB as Rundesk uses it. Open it after a fork, never before."""

    def __init__(self, uri: str, name: str, *, patience: float = PATIENCE) -> None:
        """`patience` bounds each operation, in seconds, selection of a server included."""
        options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)
        self._client: MongoClient[dict[str, Any]] = MongoClient(
            uri,
            appname="rundesk",
            timeoutMS=int(patience * 1000),
            serverSelectionTimeoutMS=int(patience * 1000),
            connectTimeoutMS=int(min(patience, 5) * 1000),
            serverMonitoringMode="poll",  # a thread and a connection less for each run
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

    @translated
    def ping(self) -> None:
        """Raises DatabaseUnavailable unless a primary answers."""
        if not self._client.admin.command("hello").get("isWritablePrimary"):
            raise DatabaseUnavailable

    def wait(self, seconds: float | None = None) -> None:
        """Block until a primary answers; raises DatabaseUnavailable after `seconds`, if given."""
        end = None if seconds is None else time.monotonic() + seconds
        told = False
        while True:
            try:
                self.ping()
                return
            except DatabaseUnavailable:
                if end is not None and time.monotonic() > end:
                    raise
                if not told:
                    log.info("waiting for the database")
                    told = True
                time.sleep(BETWEEN_TRIES)

    @translated
    def create_indexes(self) -> None:
        """Make every index; those that exist are left alone."""
        for store in (
            self.runs,
            self.queue,
            self.jobs,
            self.files,
            self.uploads,
            self.imports,
            self.tokens,
            self.sessions,
        ):
            store.create_indexes()

    def queue_changes(self, heard: Callable[[], None]) -> QueueChanges:
        """What calls `heard` when runs were queued or came to their end; not started yet."""
        return QueueChanges(self._database["runs"], heard)

    def close(self) -> None:
        self._client.close()
