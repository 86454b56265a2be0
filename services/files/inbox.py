"""The inbox: a folder of the server whose files can be registered without an upload.

Paths are relative to it and are opened folder by folder without following links, so that none
leaves it. With sign-in, users see the folder in it that has their name; administrators, and the
only user of an installation without sign-in, see all of it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from services.errors import Conflict, Message, NotFound
from services.models import Actor, InboxFile
from services.settings import Settings

MAX_DEPTH = 8  # folders within folders
MAX_LISTED_ENTRIES = 20_000  # read for one list
MIN_AGE_S = 5.0  # since the last change; a younger file may still be incomplete
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: O_NONBLOCK: opening a pipe without a writer would block forever.
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

FILE_NOT_IN_INBOX = Message(
    "not_found",
    "File not found in the inbox.",
    hint="`GET /api/v1/inbox` lists the available files.",
)
FILE_TOO_NEW = Message(
    "wrong_state",
    "This file was changed less than {seconds} seconds ago.",
    hint="Try again when the file is complete.",
)


class Inbox:
    """The folder named by RUNDESK_INBOX, if any."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.inbox_folder

    @property
    def offered(self) -> bool:
        """Whether an inbox is configured."""
        return self._root is not None

    def list(self, actor: Actor, *, text: str = "", limit: int = 200) -> Sequence[InboxFile]:
        """Return the files that the actor may register, newest first; paths contain `text`."""
        files = [
            file
            for file in self._files(self._start(actor))
            if text.casefold() in file.path.casefold()
        ]
        return sorted(files, key=lambda file: file.modified, reverse=True)[:limit]

    def check(self, actor: Actor, path: str) -> None:
        """Raise NotFound or Conflict unless the actor may register the file at `path` now."""
        if not actor.admin and _parts(path)[:-1][:1] != [actor.id]:
            raise _not_found()
        with self.open(path):
            return

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[int]:
        """Yield the descriptor of a file open for reading. Raises NotFound, Conflict if too new."""
        with contextlib.ExitStack() as held:
            try:
                file = self._open_below(_parts(path), held)
            except OSError as error:  # missing, a link, not a folder, or not readable
                raise _not_found() from error
            known = os.fstat(file)
            if not stat.S_ISREG(known.st_mode):
                raise _not_found()
            if time.time() - known.st_mtime < MIN_AGE_S:
                raise Conflict(FILE_TOO_NEW(seconds=int(MIN_AGE_S)), field="inbox")
            yield file

    def _open_below(self, parts: Sequence[str], held: contextlib.ExitStack) -> int:
        if self._root is None:
            raise _not_found()
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        held.callback(os.close, folder)
        for part in parts[:-1]:
            folder = os.open(part, FOLDER_FLAGS, dir_fd=folder)
            held.callback(os.close, folder)
        file = os.open(parts[-1], FILE_FLAGS, dir_fd=folder)
        held.callback(os.close, file)
        return file

    def _start(self, actor: Actor) -> Path | None:
        """The folder that contains the actor's files."""
        if self._root is None or actor.admin:
            return self._root
        return self._root / actor.id if _plain(actor.id) else None

    def _files(self, start: Path | None) -> Iterator[InboxFile]:
        """Regular files with printable names, without hidden ones."""
        if start is None or self._root is None or start.is_symlink():
            return
        waiting, seen = [(start, 0)], 0
        while waiting:
            folder, depth = waiting.pop()
            for entry in _entries(folder):
                seen += 1
                if seen > MAX_LISTED_ENTRIES:
                    return
                if not _plain(entry.name):
                    continue
                with contextlib.suppress(OSError):  # deleted meanwhile
                    if entry.is_dir(follow_symlinks=False) and depth < MAX_DEPTH:
                        waiting.append((Path(entry.path), depth + 1))
                    elif entry.is_file(follow_symlinks=False):
                        yield _inbox_file(Path(entry.path).relative_to(self._root), entry)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # missing or not readable
        return []


def _inbox_file(path: Path, entry: os.DirEntry[str]) -> InboxFile:
    known = entry.stat(follow_symlinks=False)
    modified = datetime.fromtimestamp(known.st_mtime, UTC)
    return InboxFile(path=path.as_posix(), size=known.st_size, modified=modified)


def _plain(name: str) -> bool:
    """Whether a name is a single part of a path, printable and not hidden."""
    return bool(name) and not name.startswith(".") and "/" not in name and name.isprintable()


def _parts(path: str) -> Sequence[str]:
    parts = path.split("/")
    if not all(map(_plain, parts)) or len(parts) > MAX_DEPTH + 2:
        raise _not_found()
    return parts


def _not_found() -> NotFound:
    return NotFound(FILE_NOT_IN_INBOX(), field="inbox")
