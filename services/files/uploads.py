"""Resumable uploads: they can be interrupted and resumed at any byte, and become registered files.

The bytes are in a file that only grows, so its size is the offset, even after a process was killed.
Each block is appended under a lock and only at the current offset. Of two requests that send at the
same time, one is refused at its next block; a connection that hangs does not block the others.
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
    Message,
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

UPLOAD_LIFETIME = timedelta(days=7)  # since its last byte was received
UPLOAD_CHUNK_BYTES = MIB // 4  # a lost connection loses at most this much
LOCK_TIMEOUT_S = 5.0  # the lock of an upload is held for one chunk
ALGORITHMS = ("sha1", "sha256", "sha512", "md5")

UPLOAD_NOT_FOUND = Message(
    "not_found",
    "Upload not found.",
    hint="It was deleted, has expired or belongs to another user.",
)
UPLOAD_DELETED = Message("not_found", "The upload was deleted.")
UPLOAD_LOCKED = Message("locked", "Locked: another request is using this upload.")
UPLOAD_CHANGED = Message("locked", "Locked: another request has continued or deleted this upload.")
DISK_TOO_SMALL = Message(
    "disk_full", "The disk of the server does not have enough space for {size} bytes."
)
WRONG_OFFSET = Message(
    "wrong_offset",
    "The offset of the upload is {offset}, not {given}.",
    hint="Request the offset with HEAD and continue there.",
)
TOO_MANY_BYTES = Message(
    "body_too_large",
    "The request has too many bytes: only {count} bytes of the upload are missing.",
    one="The request has too many bytes: only 1 byte of the upload is missing.",
)
WRONG_CHECKSUM = Message(
    "wrong_checksum",
    "The received data does not match its checksum.",
    hint="Send the same bytes again.",
)


@dataclass(frozen=True)
class Checksum:
    """The checksum of one request to an upload; `algorithm` is one of ALGORITHMS."""

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
        """Create an upload of `size` bytes. Raises Invalid (name), TooLarge, DiskFull."""
        check_may_change(actor)
        upload_id = secrets.token_hex(16)
        name = name or f"upload-{upload_id[:8]}"
        self._files.check(name, size)
        self._root.mkdir(parents=True, exist_ok=True)
        if size > shutil.disk_usage(self._root).free:
            raise DiskFull(DISK_TOO_SMALL(size=size))
        now = datetime.now(UTC)
        self._store.add(upload_id, owner=actor.id, name=name, size=size, metadata=metadata, now=now)
        return self.get(actor, upload_id)

    def get(self, actor: Actor, upload_id: str) -> Upload:
        """Return an upload; a complete one is registered as a file first. Raises NotFound."""
        return self._finish_if_complete(self._get(actor, upload_id))

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
        """Append the content of `stream`, in chunks; the last byte completes the file.

        `offset` is where the sender continues, `length` the announced length of the stream, both in
        bytes. Bytes received before a failure are kept, unless the request has a checksum: then it
        is applied completely or not at all. Raises WrongOffset, TooLarge, WrongChecksum, Locked
        when another request sends at the same time, DiskFull, NotFound.
        """
        check_may_change(actor)
        record = self._get(actor, upload_id)
        if offset != (reached := self._offset(record)):
            raise WrongOffset(WRONG_OFFSET(offset=reached, given=offset))
        left = record.size - offset
        if (length or 0) > left:
            raise _too_many_bytes(left)
        if left:
            with disk_full_as_error(), self._verify(stream, left, checksum) as checked:
                self._receive(record, checked, offset)
        return self._finish_if_complete(record)

    def delete(self, actor: Actor, upload_id: str) -> None:
        """Delete an upload and its bytes; its registered file stays. Raises NotFound, Locked."""
        check_may_change(actor)
        self._remove(self._get(actor, upload_id))

    def sweep(self, now: datetime) -> int:
        """Register complete uploads and delete expired ones; return the number of deleted ones.

        To be called at intervals.
        """
        deleted = 0
        for record in self._store.due(now - UPLOAD_LIFETIME):
            try:
                if not record.file and self._offset(record) == record.size:
                    self._finish_if_complete(record)
                elif self._expires(record) < now:
                    self._remove(record)
                    deleted += 1
            except (RundeskError, OSError) as error:
                log.warning("upload %s: %s", record.id, error)
        for part in self._root.glob("*"):
            old = datetime.fromtimestamp(part.stat().st_mtime, UTC) < now - UPLOAD_LIFETIME
            if old and self._store.get(part.name, None) is None:
                part.unlink(missing_ok=True)
        return deleted

    # ---- the file that grows ---------------------------------------------------------------

    def _part(self, record: Record) -> Path:
        return self._root / record.id

    def _offset(self, record: Record) -> int:
        if record.file:
            return record.size
        try:
            return self._part(record).stat().st_size
        except FileNotFoundError:  # created by the first byte, removed when the file is registered
            latest = self._store.get(record.id, None)
            return record.size if latest and latest.file else 0

    def _expires(self, record: Record) -> datetime:
        with contextlib.suppress(FileNotFoundError):
            touched = datetime.fromtimestamp(self._part(record).stat().st_mtime, UTC)
            return max(record.created, touched) + UPLOAD_LIFETIME
        return record.created + UPLOAD_LIFETIME

    @contextlib.contextmanager
    def _open(self, record: Record, mode: int = os.O_RDONLY) -> Iterator[int]:
        """Open the growing file; its descriptor stays valid when the file is deleted."""
        part = os.open(self._part(record), mode | os.O_CREAT, 0o600)
        try:
            yield part
        finally:
            os.close(part)

    def _receive(self, record: Record, stream: BinaryIO, offset: int) -> None:
        with self._open(record, os.O_WRONLY) as part:
            while block := stream.read(UPLOAD_CHUNK_BYTES):
                if offset + len(block) > record.size:
                    raise _too_many_bytes(record.size - offset)
                with _locked(part):
                    known = os.fstat(part)
                    if known.st_nlink == 0 or known.st_size != offset:
                        raise Locked(UPLOAD_CHANGED())
                    _write(part, block, offset)
                    self._digests.add(record.id, block, offset)
                offset += len(block)

    @contextlib.contextmanager
    def _verify(self, stream: BinaryIO, left: int, checksum: Checksum | None) -> Iterator[BinaryIO]:
        """Yield the stream; with a checksum it is first read to its end on disk and verified."""
        if checksum is None:
            yield stream
            return
        with tempfile.TemporaryFile(dir=self._root) as held:
            digest = hashlib.new(checksum.algorithm, usedforsecurity=False)
            while block := stream.read(UPLOAD_CHUNK_BYTES):
                digest.update(block)
                held.write(block)
                if held.tell() > left:
                    raise _too_many_bytes(left)
            if not hmac.compare_digest(digest.digest(), checksum.digest):
                raise WrongChecksum(WRONG_CHECKSUM())
            held.seek(0)
            yield held

    # ---- completion ------------------------------------------------------------------------

    def _get(self, actor: Actor, upload_id: str) -> Record:
        record = self._store.get(upload_id, scope(actor))
        if record is None:
            raise NotFound(UPLOAD_NOT_FOUND())
        return record

    def _finish_if_complete(self, record: Record) -> Upload:
        """Register the file if all bytes have arrived, and return the upload."""
        if not record.file and self._offset(record) == record.size:
            record = self._register_once(record)
        return Upload(**vars(record), offset=self._offset(record), expires=self._expires(record))

    def _register_once(self, record: Record) -> Record:
        """Register the file, unless another process is doing so.

        The process may be killed at any point; the next request for the upload then repeats it.
        """
        path = self._part(record)
        with self._open(record) as part:
            try:
                with _locked(part, timeout=0):
                    latest = self._store.get(record.id, None)
                    if latest and not latest.file:
                        latest = self._register(latest, part)
                    path.unlink(missing_ok=True)
            except Locked:  # another process is registering it
                return record
        if latest is None:
            raise NotFound(UPLOAD_DELETED())
        return latest

    def _register(self, record: Record, part: int) -> Record | None:
        sha256 = self._digests.hexdigest(record.id, part)
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
        path = self._part(record)
        if not path.exists():
            self._store.delete(record.id)
            return
        with self._open(record) as part, _locked(part):
            path.unlink(missing_ok=True)
            self._store.delete(record.id)
        self._digests.drop(record.id)


@contextlib.contextmanager
def _locked(part: int, timeout: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the lock of an open file, which ends with the process at the latest. Raises Locked."""
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > end:
                raise Locked(UPLOAD_LOCKED()) from None
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


def _too_many_bytes(left: int) -> TooLarge:
    return TooLarge(TOO_MANY_BYTES(count=left), field="body")
