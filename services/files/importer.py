"""Runs the queued imports; part of the runner.

A few imports run at the same time, each in a thread of its own. An import whose runner was killed
is restarted: at once by the next runner of the same host, or by another runner when the lease has
expired. It leaves no partial file behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from services.database import Database
from services.database.imports import ImportClaim
from services.errors import Conflict, DatabaseUnavailable, DiskFull, Message, RundeskError, Text
from services.files import Files
from services.files.downloads import Fetcher
from services.files.inbox import Inbox
from services.host.copying import clone_or_link
from services.host.disk import disk_full_as_error
from services.models import Actor, File, State

log = logging.getLogger("rundesk.imports")

MAX_IMPORTS_AT_ONCE = 2
MAX_ATTEMPTS = 3
PROGRESS_INTERVAL_S = 1.0
LEASE = timedelta(minutes=2)
DOWNLOAD_TIMEOUT_S = 12 * 3600.0

INTERRUPTED = Message("system_error", "The import was interrupted {count} times.")
SYSTEM_ERROR = Message(
    "system_error", "The import failed because of a system error.", hint="Contact the operators."
)
FILE_CHANGED = Message(
    "file_changed",
    "The file changed while it was read.",
    hint="Import it again when no program writes to it.",
)


class ImportStopped(Exception):
    """The import was deleted, or another runner has claimed it."""


class Importer:
    """Claims queued imports and runs them."""

    def __init__(
        self, database: Database, files: Files, fetcher: Fetcher, inbox: Inbox, *, host: str
    ) -> None:
        self._store = database.imports
        self._files = files
        self._fetcher = fetcher
        self._inbox = inbox
        self._host = host
        self._places = threading.Semaphore(MAX_IMPORTS_AT_ONCE)
        self._released: datetime | None = None  # when lost imports were last released

    def tick(self, now: datetime) -> int:
        """Start as many imports as may run now and return their number. Does not wait for them."""
        if not (self._fetcher.hosts or self._inbox.offered):
            return 0
        self._release(now)
        started = 0
        while self._places.acquire(blocking=False):
            try:
                claim = self._store.claim(host=self._host, now=now, lease=LEASE)
            except BaseException:
                self._places.release()
                raise
            if claim is None:
                self._places.release()
                break
            threading.Thread(target=self._work, args=(claim,), daemon=True).start()
            started += 1
        return started

    def _release(self, now: datetime) -> None:
        """Queue lost imports again; at the start also those of an earlier process on this host."""
        error = str(INTERRUPTED(count=MAX_ATTEMPTS))
        if self._released is None:
            self._store.release(now=now, most=MAX_ATTEMPTS, error=error, host=self._host)
        elif now - self._released < LEASE / 4:
            return
        self._store.release(now=now, most=MAX_ATTEMPTS, error=error)
        self._released = now

    def _work(self, claim: ImportClaim) -> None:
        try:
            self.do(claim)
        except DatabaseUnavailable:
            log.warning("import %s waits for the database", claim.item.id)  # its lease runs out
        finally:
            self._places.release()

    def do(self, claim: ImportClaim) -> None:
        """Run one import to its end and store the outcome."""
        try:
            file = self._file(claim)
        except ImportStopped:
            log.info("import %s was stopped", claim.item.id)
        except DatabaseUnavailable:
            raise
        except RundeskError as error:
            state = State.SYSTEM_ERROR if isinstance(error, DiskFull) else State.EXECUTOR_ERROR
            self._fail(claim, state, error.text)
        except Exception:
            log.exception("import %s failed", claim.item.id)
            self._fail(claim, State.SYSTEM_ERROR, SYSTEM_ERROR())
        else:
            self._store.finish(claim, file=file.id, size=file.size, now=datetime.now(UTC))

    def _fail(self, claim: ImportClaim, state: State, text: Text) -> None:
        now = datetime.now(UTC)
        self._store.fail(claim, state, error=str(text), hint=text.hint, now=now)

    def _file(self, claim: ImportClaim) -> File:
        """Register the file of an import."""
        item, actor = claim.item, Actor(id=claim.item.owner)
        if item.url is not None:
            with self._fetcher.open(item.url, seconds=DOWNLOAD_TIMEOUT_S) as download:
                progress = self._progress(claim, download.size)
                stream = Watched(download.read, progress)
                return self._register(actor, item.name, stream, size=download.size)
        with self._inbox.open(item.inbox or "") as source, self._files.incoming() as draft:
            known = os.fstat(source)
            self._files.check(item.name, known.st_size)
            progress = self._progress(claim, known.st_size)
            stream = Watched(partial(_read_unchanged, source, known), progress)
            if _take_over(source, draft):
                size, sha256 = known.st_size, _sha256(stream)
                return self._files.adopt(actor, item.name, draft, sha256=sha256, size=size)
            return self._register(actor, item.name, stream)

    def _register(
        self, actor: Actor, name: str, stream: Watched, *, size: int | None = None
    ) -> File:
        return self._files.register(actor, name, cast(BinaryIO, stream), size=size)

    def _progress(self, claim: ImportClaim, size: int | None) -> Callable[[int], None]:
        """Return a function that stores the bytes received, at most every PROGRESS_INTERVAL_S.

        The function raises ImportStopped when the claim is no longer valid.
        """
        last = time.monotonic() - PROGRESS_INTERVAL_S

        def report(received: int) -> None:
            nonlocal last
            if time.monotonic() - last < PROGRESS_INTERVAL_S:
                return
            last = time.monotonic()
            until = datetime.now(UTC) + LEASE
            with contextlib.suppress(DatabaseUnavailable):  # the lease outlives a short outage
                if not self._store.renew(claim, received=received, size=size, until=until):
                    raise ImportStopped

        return report


class Watched(io.RawIOBase):
    """A stream that reports after each read how many bytes were read in total."""

    def __init__(self, read: Callable[[int], bytes], report: Callable[[int], None]) -> None:
        self._read, self._report = read, report
        self._received = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._read(size)
        self._received += len(block)
        self._report(self._received)
        return block

    def readinto(self, buffer: Any) -> int:
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


def _take_over(source: int, draft: Path) -> bool:
    """Create `draft` from an open file without copying it, read-only; False if not possible.

    A hard link is made only where the file can be made read-only: from then on it is the content of
    a registered file. Raises DiskFull.
    """
    with disk_full_as_error():
        if not clone_or_link(source, draft):
            return False
    try:
        draft.chmod(0o444)
    except OSError:  # a hard link to a file of another user
        draft.unlink()
        return False
    return True


def _sha256(stream: Watched) -> str:
    return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_unchanged(source: int, known: os.stat_result, size: int) -> bytes:
    """Return the next bytes of a file. Raises Conflict at the end if the file has changed."""
    block = os.read(source, size)
    now = os.fstat(source)
    if not block and (now.st_size, now.st_mtime_ns) != (known.st_size, known.st_mtime_ns):
        raise Conflict(FILE_CHANGED())
    return block
