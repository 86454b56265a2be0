"""Registered files: content stored once by its sha256; names are for people, never paths."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from services.access.actors import check_may_change, scope
from services.database import Database
from services.errors import InUse, Invalid, Message, NotFound, TooLarge
from services.host.disk import disk_full_as_error
from services.models import Actor, File, Page
from services.params.names import NameIndex
from services.settings import MIB, Settings

READ_CHUNK_BYTES = MIB // 4  # what fits into the caches of a core is hashed and written faster
DRAFT_LIFETIME = timedelta(days=1)  # since its last byte was received
MAX_NAME_LENGTH = 255  # characters

FILE_NOT_FOUND = Message("not_found", "File not found.")
FILE_IN_USE = Message(
    "in_use",
    "{count} runs use this file.",
    one="1 run uses this file.",
    hint="Delete those runs first.",
)
BODY_INCOMPLETE = Message(
    "body_incomplete",
    "The upload ended after {received} of {size} bytes.",
    hint="Send the file again.",
)
FILE_TOO_LARGE = Message(
    "file_too_large",
    "The file is larger than {limit_mib} MiB.",
    hint="The operators can raise RUNDESK_MAX_UPLOAD.",
)
NAME_LENGTH = Message(
    "wrong_length",
    "The name of a file must have 1 to {limit} characters.",
    hint="Send it as ?name=reads.fastq.gz",
)
NAME_CHARACTERS = Message(
    "invalid_characters", "The name of a file must not contain control characters."
)

KINDS = {
    "fasta": "fa fasta fna faa ffn fas frn fsa",
    "fastq": "fq fastq",
    "alignment": "bam sam cram",
    "variants": "vcf bcf",
    "annotation": "gff gff3 gtf bed",
    "spectra": "mzml mzxml mgf raw",
    "table": "tsv csv xlsx xlsm xls ods tab",
    "report": "html htm pdf",
    "image": "png svg jpg jpeg gif webp",
    "json": "json yaml yml",
    "text": "txt md log xml",
    "archive": "zip tar",
}
KIND_OF = {suffix: kind for kind, suffixes in KINDS.items() for suffix in suffixes.split()}
COMPRESSED = {"gz", "bgz", "bgzf", "bz2", "xz", "zst"}


def kind_of(name: str) -> str:
    """Return the kind of a file by the suffix of its name, ignoring a suffix of compression."""
    parts = name.lower().split(".")[1:]
    if parts and parts[-1] in COMPRESSED:
        parts = parts[:-1] or parts
    return KIND_OF.get(parts[-1], "other") if parts else "other"


class Files:
    """Registered files of all owners."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._store = database.files
        self._runs = database.runs
        self._root = settings.data / "files"
        self._drafts = self._root / "incoming"

    def register(
        self, actor: Actor, name: str, stream: BinaryIO, *, size: int | None = None
    ) -> File:
        """Read `stream` to its end, in chunks, and register its content.

        `size` is the announced length in bytes. A file with the same name and content as an
        existing one returns that one. Raises Invalid (name, or fewer bytes than announced),
        TooLarge, DiskFull; nothing is kept then.
        """
        check_may_change(actor)
        self.check(name, size)
        with self.incoming() as draft:
            sha256, read = _receive(stream, draft, self.max_bytes)
            if size is not None and read < size:
                raise Invalid(BODY_INCOMPLETE(received=read, size=size), field="body")
            return self.adopt(actor, name, draft, sha256=sha256, size=read)

    @property
    def max_bytes(self) -> int:
        """The maximum size of a file."""
        return self._settings.max_upload * MIB

    def check(self, name: str, size: int | None) -> None:
        """Raise Invalid (name) or TooLarge unless a file of that name and size is accepted."""
        _check_name(name)
        if size is not None and size > self.max_bytes:
            raise _too_large(self.max_bytes)

    def adopt(self, actor: Actor, name: str, draft: Path, *, sha256: str, size: int) -> File:
        """Register the file at `draft`, a path from `incoming`, without copying it.

        It must not be written to any more. The caller removes `draft`.
        """
        with self.lock():
            return self._keep(actor, name, draft, sha256, size)

    def get(self, actor: Actor, file_id: str) -> File:
        """Return a file. Raises NotFound."""
        file = self._store.get(file_id, scope(actor))
        if file is None:
            raise NotFound(FILE_NOT_FOUND())
        return file

    def by_ids(self, actor: Actor, file_ids: Iterable[str]) -> dict[str, File]:
        """Return the files with these ids that exist and that the actor may see, by id."""
        return {file.id: file for file in self._store.by_ids(file_ids, scope(actor))}

    def by_names(self, actor: Actor, names: Iterable[str]) -> dict[str, Sequence[File]]:
        """Return the actor's own files by the names asked for; several may have the same name.

        Where no file has exactly this name, names compare as `services.params.names` says.
        """
        asked = {str(name) for name in names}
        files = self._by_exact_names(actor, asked)
        if missing := asked - files.keys():
            known = NameIndex(self._store.names(actor.id))
            matches = {name: known.best_matches(name) for name in missing}
            others = self._by_exact_names(actor, {name for of in matches.values() for name in of})
            for name, equal in matches.items():
                if same := [file for other in equal for file in others.get(other, ())]:
                    files[name] = same
        return files

    def _by_exact_names(self, actor: Actor, names: Iterable[str]) -> dict[str, Sequence[File]]:
        files: dict[str, Sequence[File]] = {}
        for file in self._store.by_names(names, actor.id):
            files[file.name] = [*files.get(file.name, ()), file]
        return files

    def list(
        self,
        actor: Actor,
        *,
        text: str = "",
        kind: str = "",
        after: str | None = None,
        limit: int = 50,
    ) -> Page[File]:
        """Return a page of files, newest first; `text` is part of the name, `kind` as in File."""
        return self._store.page(scope(actor), text=text, kind=kind, after=after, limit=limit)

    def uses(self, actor: Actor, file_id: str) -> int:
        """Return the number of runs that use a file and that the actor may see, at most 1000."""
        return self._runs.uses(file_id, scope(actor))

    def path(self, actor: Actor, file_id: str) -> Path:
        """Return the path of the content, which must only be read. Raises NotFound."""
        return self.blob(self.get(actor, file_id).sha256)

    def delete(self, actor: Actor, file_id: str) -> None:
        """Delete a file, and its content unless another file has the same.

        Raises NotFound, Conflict while a run uses it.
        """
        check_may_change(actor)
        with self.lock():
            file = self.get(actor, file_id)
            if count := self._runs.uses(file_id):
                raise InUse(FILE_IN_USE(count=count))
            self._store.delete(file_id, scope(actor))
            if not self._store.holds(file.sha256):
                self.blob(file.sha256).unlink(missing_ok=True)

    def blob(self, sha256: str) -> Path:
        """Return the path of the content with this checksum."""
        return content(self._settings.data, sha256)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from adding and deleting files and from submitting runs."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """Yield a free path for a file that `adopt` is to register; it is removed afterwards."""
        self._drafts.mkdir(parents=True, exist_ok=True)
        draft = self._drafts / secrets.token_hex(16)
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def sweep(self, now: datetime) -> int:
        """Remove the drafts of processes that were killed while receiving; return their number."""
        removed = 0
        for draft in self._drafts.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                # ctime: the modification time may be that of an old file in the inbox
                if datetime.fromtimestamp(draft.stat().st_ctime, UTC) < now - DRAFT_LIFETIME:
                    draft.unlink()
                    removed += 1
        return removed

    def _keep(self, actor: Actor, name: str, draft: Path, sha256: str, size: int) -> File:
        blob = self.blob(sha256)
        blob.parent.mkdir(parents=True, exist_ok=True)
        created = not blob.exists()
        if created:
            os.link(draft, blob)
        try:
            return self._store.add(
                owner=actor.id,
                name=name,
                size=size,
                sha256=sha256,
                kind=kind_of(name),
                now=datetime.now(UTC),
            )
        except BaseException:
            if created:
                blob.unlink()
            raise


def content(data: Path, sha256: str) -> Path:
    """Return the path in a data folder of the content with that checksum."""
    return data / "files" / "content" / sha256[:2] / sha256


def _receive(stream: BinaryIO, draft: Path, limit: int) -> tuple[str, int]:
    """Copy a stream to a new read-only file; return its sha256 and its size in bytes."""
    digest = hashlib.sha256()
    read = 0
    with disk_full_as_error(), draft.open("xb") as file:
        while block := stream.read(READ_CHUNK_BYTES):
            read += len(block)
            if read > limit:
                raise _too_large(limit)
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o444)
    return digest.hexdigest(), read


def _too_large(limit: int) -> TooLarge:
    return TooLarge(FILE_TOO_LARGE(limit_mib=limit // MIB), field="body")


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME_LENGTH:
        raise Invalid(NAME_LENGTH(limit=MAX_NAME_LENGTH), field="name")
    if not name.isprintable():
        raise Invalid(NAME_CHARACTERS(), field="name")
