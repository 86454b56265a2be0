"""Uploads that arrive in pieces: cut and resumed at any byte, they become registered files.

The bytes lie in a file that only ever grows, so its size is the offset, whatever was killed
when. Each block is added under a lock and only where it belongs: of two that send at once, one
is refused at its next block, and one whose connection hangs holds up nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import logging
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from services.access.actors import check_may_change, scope
from services.database import Database
from services.database.uploads import Record
from services.errors import (
    DiskFull,
    Locked,
    NotFound,
    RundeskError,
    TooLarge,
    WrongChecksum,
    WrongOffset,
)
from services.files import Files
from services.files.checksums import Digests
from services.host.disk import disk_full_as_error
from services.models import Actor, Upload
from services.settings import MIB, Settings

log = logging.getLogger(__name__)

KEPT = timedelta(days=7)  # since its last byte
BLOCK = MIB // 4  # bytes; what a cut connection may cost
PATIENCE = 5.0  # s to wait for the lock of an upload; it is held for one block
ALGORITHMS = ("sha1", "sha256", "sha512", "md5")


@dataclass(frozen=True)
class Checksum:
    """Of one piece of an upload; `algorithm` is one of ALGORITHMS."""

    algorithm: str
    digest: bytes


class Uploads:
    """Unfinished uploads of all owners."""

    def __init__(self, settings: Settings, database: Database, files: Files) -> None:
        self._store = database.uploads
        self._files = files
        self._root = settings.data / "files" / "uploads"
        self._digests = Digests()

    def create(self, actor: Actor, *, size: int, name: str = "", metadata: str = "") -> Upload:
        """Announce a file of `size` bytes. Raises Invalid (name), TooLarge, DiskFull."""
        check_may_change(actor)
        upload_id = secrets.token_hex(16)
        name = name or f"upload-{upload_id[:8]}"
        self._files.check(name, size)
        self._root.mkdir(parents=True, exist_ok=True)
        if size > shutil.disk_usage(self._root).free:
            raise DiskFull("The disk of this desk has no room for a file of that size.")
        now = datetime.now(UTC)
        self._store.add(upload_id, owner=actor.id, name=name, size=size, metadata=metadata, now=now)
        return self.get(actor, upload_id)

    def get(self, actor: Actor, upload_id: str) -> Upload:
        """An upload. If all of it has arrived it becomes a file now, unless it is just doing so."""
        return self._settled(self._found(actor, upload_id))

    def append(
        self,
        actor: Actor,
        upload_id: str,
        stream: BinaryIO,
        *,
        offset: int,
        length: int | None = None,
        checksum: Checksum | None = None,
    ) -> Upload:
        """Add what `stream` holds, in blocks; the last byte makes it a file.

        `offset` is where the sender believes the upload to stand, `length` what was announced of
        the stream, in bytes. What arrived before a failure stays, except of a piece that has a
        checksum: it counts as a whole or not at all. Raises WrongOffset, TooLarge, WrongChecksum,
        Locked when somebody else sends too, DiskFull, NotFound.
        """
        check_may_change(actor)
        record = self._found(actor, upload_id)
        if offset != (reached := self._reached(record)):
            raise WrongOffset(
                f"{reached} bytes of the upload have arrived, not {offset}.",
                hint="Ask for its offset by HEAD and go on from there.",
            )
        left = record.size - offset
        if (length or 0) > left:
            raise _too_much(left)
        if left:
            with disk_full_as_error(), self._checked(stream, left, checksum) as checked:
                self._receive(record, checked, offset)
        return self._settled(record)

    def delete(self, actor: Actor, upload_id: str) -> None:
        """Forget an upload and its bytes; a file that it became stays. Raises Locked."""
        check_may_change(actor)
        self._remove(self._found(actor, upload_id))

    def sweep(self, now: datetime) -> int:
        """Finish what has arrived as a whole, forget what expired; how many were forgotten.

        To be called now and then.
        """
        gone = 0
        for record in self._store.due(now - KEPT):
            try:
                if not record.file and self._reached(record) == record.size:
                    self._settled(record)
                elif self._expires(record) < now:
                    self._remove(record)
                    gone += 1
            except (RundeskError, OSError) as error:
                log.warning("upload %s: %s", record.id, error)
        for part in self._root.glob("*"):
            old = datetime.fromtimestamp(part.stat().st_mtime, UTC) < now - KEPT
            if old and self._store.get(part.name, None) is None:
                part.unlink(missing_ok=True)
        return gone

    # ---- the file that grows ---------------------------------------------------------------

    def _part(self, record: Record) -> Path:
        return self._root / record.id

    def _reached(self, record: Record) -> int:
        """The offset."""
        if record.file:
            return record.size
        try:
            return self._part(record).stat().st_size
        except FileNotFoundError:  # made by the first byte, gone when it is a registered file
            latest = self._store.get(record.id, None)
            return record.size if latest and latest.file else 0

    def _expires(self, record: Record) -> datetime:
        with contextlib.suppress(FileNotFoundError):
            touched = datetime.fromtimestamp(self._part(record).stat().st_mtime, UTC)
            return max(record.created, touched) + KEPT
        return record.created + KEPT

    @contextlib.contextmanager
    def _opened(self, record: Record, mode: int = os.O_RDONLY) -> Iterator[int]:
        """The growing file; it stays open when it is deleted."""
        part = os.open(self._part(record), mode | os.O_CREAT, 0o600)
        try:
            yield part
        finally:
            os.close(part)

    def _receive(self, record: Record, stream: BinaryIO, offset: int) -> None:
        with self._opened(record, os.O_WRONLY) as part:
            while block := stream.read(BLOCK):
                if offset + len(block) > record.size:
                    raise _too_much(record.size - offset)
                with _alone(part):
                    known = os.fstat(part)
                    if known.st_nlink == 0 or known.st_size != offset:
                        raise Locked("Another request sent to this upload, or ended it.")
                    _write(part, block, offset)
                    self._digests.add(record.id, block, offset)
                offset += len(block)

    @contextlib.contextmanager
    def _checked(
        self, stream: BinaryIO, left: int, checksum: Checksum | None
    ) -> Iterator[BinaryIO]:
        """The stream; one with a checksum is read to its end and proven first, on disk."""
        if checksum is None:
            yield stream
            return
        with tempfile.TemporaryFile(dir=self._root) as held:
            digest = hashlib.new(checksum.algorithm, usedforsecurity=False)
            while block := stream.read(BLOCK):
                digest.update(block)
                held.write(block)
                if held.tell() > left:
                    raise _too_much(left)
            if not hmac.compare_digest(digest.digest(), checksum.digest):
                raise WrongChecksum(hint="Send that piece again.")
            held.seek(0)
            yield held

    # ---- its end ---------------------------------------------------------------------------

    def _found(self, actor: Actor, upload_id: str) -> Record:
        record = self._store.get(upload_id, scope(actor))
        if record is None:
            raise NotFound("There is no such upload.", hint="It ended, expired or is not yours.")
        return record

    def _settled(self, record: Record) -> Upload:
        """The upload, finished if that is possible now."""
        if not record.file and self._reached(record) == record.size:
            record = self._finished(record)
        return Upload(**vars(record), offset=self._reached(record), expires=self._expires(record))

    def _finished(self, record: Record) -> Record:
        """Register the file. May be killed at any point and be done again by whoever asks next."""
        place = self._part(record)
        with self._opened(record) as part:
            try:
                with _alone(part, patience=0):
                    latest = self._store.get(record.id, None)
                    if latest and not latest.file:
                        latest = self._register(latest, part)
                    place.unlink(missing_ok=True)
            except Locked:  # by whoever does the same
                return record
        if latest is None:
            raise NotFound("The upload was ended.")
        return latest

    def _register(self, record: Record, part: int) -> Record | None:
        sha256 = self._digests.whole(record.id, part)
        os.fsync(part)
        os.fchmod(part, 0o444)
        file = self._files.adopt(
            Actor(id=record.owner),
            record.name,
            self._part(record),
            sha256=sha256,
            size=record.size,
        )
        finished = self._store.finish(record.id, file.id)
        self._digests.drop(record.id)
        return finished

    def _remove(self, record: Record) -> None:
        place = self._part(record)
        if not place.exists():
            self._store.delete(record.id)
            return
        with self._opened(record) as part, _alone(part):
            place.unlink(missing_ok=True)
            self._store.delete(record.id)
        self._digests.drop(record.id)


@contextlib.contextmanager
def _alone(part: int, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock of an open file; the end of this process frees it too. Raises Locked."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > end:
                raise Locked("Another request is at work on this upload.") from None
            time.sleep(0.01)
    try:
        yield
    finally:
        fcntl.flock(part, fcntl.LOCK_UN)


def _write(part: int, block: bytes, offset: int) -> None:
    view = memoryview(block)
    while view:
        written = os.pwrite(part, view, offset)
        view, offset = view[written:], offset + written


def _too_much(left: int) -> TooLarge:
    return TooLarge(f"Only {left} bytes of the upload are missing.", field="body")
