"""Files: bytes stored once by content, names kept for people and never used as paths."""

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
from services.errors import Conflict, Invalid, NotFound, TooLarge
from services.host.disk import told_when_full
from services.models import Actor, File, Page
from services.params.names import NameIndex
from services.settings import MIB, Settings

BLOCK = MIB // 4  # bytes read at once; what fits the caches of a core is hashed and written faster
FORGOTTEN = timedelta(days=1)  # since anything arrived
KINDS = {
    "fasta": "fa fasta fna faa ffn fas fsa frn",
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
COMPRESSED = {"gz", "bgz", "bz2", "xz", "zst"}


def kind_of(name: str) -> str:
    """What the suffix of a file's name says it is; compression does not count."""
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
        """Read `stream` to its end, in blocks, and register what it held.

        `size` is the announced length in bytes. The same name and content again gives the file
        that is there. Raises Invalid (name, or fewer bytes than announced), TooLarge, DiskFull;
        nothing stays behind then.
        """
        check_may_change(actor)
        self.check(name, size)
        with self.incoming() as draft:
            sha256, read = _receive(stream, draft, self.largest)
            if size is not None and read < size:
                raise Invalid(
                    f"The upload ended after {read} of {size} bytes.",
                    field="body",
                    hint="Send the file again.",
                )
            return self.adopt(actor, name, draft, sha256=sha256, size=read)

    @property
    def largest(self) -> int:
        """The largest file taken, in bytes."""
        return self._settings.max_upload * MIB

    def check(self, name: str, size: int | None) -> None:
        """Whether a file of that name and size may come. Raises Invalid (name), TooLarge."""
        _check_name(name)
        if size is not None and size > self.largest:
            raise _too_large(self.largest)

    def adopt(self, actor: Actor, name: str, draft: Path, *, sha256: str, size: int) -> File:
        """Register what lies at `draft` in our folder, without copying it.

        Nothing may be written there any more; the caller removes that name of it.
        """
        with self.unchanging():
            return self._keep(actor, name, draft, sha256, size)

    def get(self, actor: Actor, file_id: str) -> File:
        file = self._store.get(file_id, scope(actor))
        if file is None:
            raise NotFound("There is no such file.")
        return file

    def by_ids(self, actor: Actor, file_ids: Iterable[str]) -> dict[str, File]:
        """Those files that there are for the actor, by their ids."""
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
        """Newest first; `text` is part of the name, `kind` as in File."""
        return self._store.page(scope(actor), text=text, kind=kind, after=after, limit=limit)

    def uses(self, actor: Actor, file_id: str) -> int:
        """How many runs that the actor may see use it; 1000 at most."""
        return self._runs.uses(file_id, scope(actor))

    def path(self, actor: Actor, file_id: str) -> Path:
        """The bytes on disk, to be read only."""
        return self.blob(self.get(actor, file_id).sha256)

    def delete(self, actor: Actor, file_id: str) -> None:
        """Forget a file, and its bytes with their last name. Conflict while a run uses it."""
        check_may_change(actor)
        with self.unchanging():
            file = self.get(actor, file_id)
            if used := self._runs.uses(file_id):
                raise Conflict(
                    f"{used} run{'s use' if used > 1 else ' uses'} this file.",
                    hint="Delete those runs first.",
                )
            self._store.delete(file_id, scope(actor))
            if not self._store.holds(file.sha256):
                self.blob(file.sha256).unlink(missing_ok=True)

    def blob(self, sha256: str) -> Path:
        """Where content lies."""
        return content(self._settings.data, sha256)

    @contextlib.contextmanager
    def unchanging(self) -> Iterator[None]:
        """Between check and act, no other process adds or deletes files, or submits runs."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """A name in our folder for what is to be adopted; nothing has it afterwards."""
        self._drafts.mkdir(parents=True, exist_ok=True)
        draft = self._drafts / secrets.token_hex(16)
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def sweep(self, now: datetime) -> int:
        """Remove what processes left that were killed while they received; how many it were."""
        gone = 0
        for draft in self._drafts.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                # not of its content, which may be an old file's
                if datetime.fromtimestamp(draft.stat().st_ctime, UTC) < now - FORGOTTEN:
                    draft.unlink()
                    gone += 1
        return gone

    def _keep(self, actor: Actor, name: str, draft: Path, sha256: str, size: int) -> File:
        blob = self.blob(sha256)
        blob.parent.mkdir(parents=True, exist_ok=True)
        ours = not blob.exists()
        if ours:
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
            if ours:
                blob.unlink()
            raise


def content(data: Path, sha256: str) -> Path:
    """Where the bytes with that checksum lie in a data folder."""
    return data / "files" / "content" / sha256[:2] / sha256


def _receive(stream: BinaryIO, draft: Path, limit: int) -> tuple[str, int]:
    """Copy a stream to a read-only file; its sha256 and size in bytes."""
    digest = hashlib.sha256()
    read = 0
    with told_when_full(), draft.open("xb") as file:
        while block := stream.read(BLOCK):
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
    return TooLarge(
        f"Files of more than {limit // MIB} MiB are not taken.",
        field="body",
        hint="The operators can raise RUNDESK_MAX_UPLOAD.",
    )


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > 255:
        raise Invalid(
            "A file needs a name of 1 to 255 characters.",
            field="name",
            hint="Give it as ?name=reads.fastq.gz",
        )
    if not name.isprintable():
        raise Invalid("A file's name must not contain control characters.", field="name")
