"""Does what is to be imported; part of the runner.

A few at once, each in a thread of its own. An import whose runner was killed is begun anew, by the
next one at once or by another when the lease has run out: it leaves no half a file behind.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
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
from typing import BinaryIO, cast

from services.database import Database
from services.database.imports import ImportClaim
from services.errors import Conflict, DatabaseUnavailable, DiskFull, RundeskError
from services.files import Files
from services.files.downloads import Fetcher
from services.files.inbox import Inbox
from services.files.registry import BLOCK
from services.models import Actor, File, State

log = logging.getLogger("rundesk.imports")

AT_ONCE = 2
ATTEMPTS = 3
TOLD = 1.0  # s between two times that progress is told
LEASE = timedelta(minutes=2)
LONGEST = 12 * 3600.0  # s of one download
FICLONE = 0x40049409  # of Linux: share the blocks of a file until one of both is changed
GIVEN_UP = f"The desk was stopped in the midst of it {ATTEMPTS} times."
CHANGED = "The file was changed while it was read."


class Ended(Exception):
    """The import was ended, or is somebody else's by now."""


class Importer:
    """Claims imports and does them."""

    def __init__(
        self, database: Database, files: Files, fetcher: Fetcher, inbox: Inbox, *, host: str
    ) -> None:
        self._store = database.imports
        self._files = files
        self._fetcher = fetcher
        self._inbox = inbox
        self._host = host
        self._places = threading.Semaphore(AT_ONCE)
        self._released: datetime | None = None  # when lost ones were looked for last

    def tick(self, now: datetime) -> int:
        """Begin what there is a place for; how many were begun. Does not wait for their end."""
        if not (self._fetcher.hosts or self._inbox.offered):
            return 0
        self._release(now)
        begun = 0
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
            begun += 1
        return begun

    def _release(self, now: datetime) -> None:
        """Have lost imports begun anew: at the start those that an earlier process here left."""
        if self._released is None:
            self._store.release(now=now, most=ATTEMPTS, error=GIVEN_UP, host=self._host)
        elif now - self._released < LEASE / 4:
            return
        self._store.release(now=now, most=ATTEMPTS, error=GIVEN_UP)
        self._released = now

    def _work(self, claim: ImportClaim) -> None:
        try:
            self.do(claim)
        except DatabaseUnavailable:
            log.warning("import %s waits for the database", claim.item.id)  # its lease runs out
        finally:
            self._places.release()

    def do(self, claim: ImportClaim) -> None:
        """Do one import to its end, and say what became of it."""
        try:
            file = self._file(claim)
        except Ended:
            log.info("import %s was ended", claim.item.id)
        except DatabaseUnavailable:
            raise
        except RundeskError as error:
            state = State.SYSTEM_ERROR if isinstance(error, DiskFull) else State.EXECUTOR_ERROR
            self._fail(claim, state, error.message, error.hint)
        except Exception:
            log.exception("import %s failed", claim.item.id)
            self._fail(claim, State.SYSTEM_ERROR, "The desk failed.", "Tell its operators.")
        else:
            self._store.finish(claim, file=file.id, size=file.size, now=datetime.now(UTC))

    def _fail(self, claim: ImportClaim, state: State, error: str, hint: str) -> None:
        self._store.fail(claim, state, error=error, hint=hint, now=datetime.now(UTC))

    def _file(self, claim: ImportClaim) -> File:
        """The registered file."""
        item, actor = claim.item, Actor(id=claim.item.owner)
        if item.url is not None:
            with self._fetcher.open(item.url, seconds=LONGEST) as download:
                told = self._told(claim, download.size)
                watched = cast(BinaryIO, Watched(download.read, told))
                return self._files.register(actor, item.name, watched, size=download.size)
        with self._inbox.open(item.inbox or "") as found, self._files.incoming() as draft:
            known = os.fstat(found)
            self._files.check(item.name, known.st_size)
            told = self._told(claim, known.st_size)
            watched = cast(BinaryIO, Watched(partial(_unchanged, found, known), told))
            if _shared(found, draft):
                size, sha256 = known.st_size, _sha256(watched)
                return self._files.adopt(actor, item.name, draft, sha256=sha256, size=size)
            return self._files.register(actor, item.name, watched)

    def _told(self, claim: ImportClaim, size: int | None) -> Callable[[int], None]:
        """What notes progress now and then. Raises Ended as soon as it is known."""
        last = time.monotonic() - TOLD

        def tell(received: int) -> None:
            nonlocal last
            if time.monotonic() - last < TOLD:
                return
            last = time.monotonic()
            until = datetime.now(UTC) + LEASE
            with contextlib.suppress(DatabaseUnavailable):  # the lease outlives a short absence
                if not self._store.renew(claim, received=received, size=size, until=until):
                    raise Ended

        return tell


class Watched(io.RawIOBase):
    """A stream that tells how much of it was read."""

    def __init__(self, read: Callable[[int], bytes], tell: Callable[[int], None]) -> None:
        self._read, self._tell = read, tell
        self._received = 0

    def read(self, size: int = -1) -> bytes:
        block = self._read(size)
        self._received += len(block)
        self._tell(self._received)
        return block


def _shared(found: int, draft: Path) -> bool:
    """Give a file a name of ours without copying it; False where that is not possible.

    A clone is a file of its own. A second name is made only where the file can be made read-only:
    it is the content of a registered file from then on.
    """
    with contextlib.suppress(OSError):
        with draft.open("xb") as file:
            fcntl.ioctl(file, FICLONE, found)
            os.fchmod(file.fileno(), 0o444)
        return True
    draft.unlink(missing_ok=True)
    try:
        root = os.open("/", os.O_PATH)  # any folder: with one, a link of /proc is followed
        try:
            os.link(f"/proc/self/fd/{found}", draft, src_dir_fd=root, follow_symlinks=True)
        finally:
            os.close(root)
        os.fchmod(found, 0o444)
    except OSError as error:
        draft.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise DiskFull from error
        return False
    return True


def _sha256(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _unchanged(found: int, known: os.stat_result, size: int) -> bytes:
    """The next bytes of a file. Raises Conflict at its end when it is not what it was."""
    block = os.read(found, size)
    now = os.fstat(found)
    if not block and (now.st_size, now.st_mtime_ns) != (known.st_size, known.st_mtime_ns):
        raise Conflict(CHANGED, hint="Import it again when nobody writes to it.")
    return block
