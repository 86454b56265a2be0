"""The inbox: a folder of the server whose files are registered where they lie, without an upload.

Paths are relative to it and are walked folder by folder without following links, so that none leads
out. Where sign-in is on, a user sees the folder of the user's own name in it; administrators, and
the one user of a desk without sign-in, see all of it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from services.errors import Conflict, NotFound
from services.models import Actor, InboxFile
from services.settings import Settings

DEEPEST = 8  # folders within folders
MOST = 20_000  # entries looked at for one list
QUIET = 5.0  # s since the last change; before, somebody may still be writing
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Without waiting: to open a pipe that nobody writes to would take for ever.
REGULAR = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Inbox:
    """The folder of RUNDESK_INBOX, if there is one."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.inbox_folder

    @property
    def offered(self) -> bool:
        """Whether the operators named a folder."""
        return self._root is not None

    def list(self, actor: Actor, *, text: str = "", limit: int = 200) -> Sequence[InboxFile]:
        """The files that the actor may register, newest first; `text` is part of the path."""
        found = [
            file
            for file in self._files(self._start(actor))
            if text.casefold() in file.path.casefold()
        ]
        return sorted(found, key=lambda file: file.modified, reverse=True)[:limit]

    def check(self, actor: Actor, path: str) -> None:
        """Whether the actor may register the file at `path` now. Raises NotFound, Conflict."""
        if not actor.admin and _parts(path)[:-1][:1] != [actor.id]:
            raise _gone()
        with self.open(path):
            return

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[int]:
        """A file to be read, as a descriptor. Raises NotFound, or Conflict while it changes."""
        with contextlib.ExitStack() as held:
            try:
                file = self._opened(_parts(path), held)
            except OSError as error:  # not there, a link, no folder, not ours to read
                raise _gone() from error
            known = os.fstat(file)
            if not stat.S_ISREG(known.st_mode):
                raise _gone()
            if time.time() - known.st_mtime < QUIET:
                raise Conflict(
                    "This file was changed a moment ago.",
                    field="inbox",
                    hint="Wait until it is there as a whole.",
                )
            yield file

    def _opened(self, parts: Sequence[str], held: contextlib.ExitStack) -> int:
        if self._root is None:
            raise _gone()
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        held.callback(os.close, folder)
        for part in parts[:-1]:
            folder = os.open(part, FOLDER, dir_fd=folder)
            held.callback(os.close, folder)
        file = os.open(parts[-1], REGULAR, dir_fd=folder)
        held.callback(os.close, file)
        return file

    def _start(self, actor: Actor) -> Path | None:
        """Where the actor's files begin."""
        if self._root is None or actor.admin:
            return self._root
        return self._root / actor.id if _plain(actor.id) else None

    def _files(self, start: Path | None) -> Iterator[InboxFile]:
        """Regular files with names that can be shown, hidden ones left out."""
        if start is None or self._root is None or start.is_symlink():
            return
        waiting, seen = [(start, 0)], 0
        while waiting:
            folder, depth = waiting.pop()
            for entry in _entries(folder):
                seen += 1
                if seen > MOST:
                    return
                if not _plain(entry.name):
                    continue
                with contextlib.suppress(OSError):  # it went away meanwhile
                    if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                        waiting.append((Path(entry.path), depth + 1))
                    elif entry.is_file(follow_symlinks=False):
                        yield _described(Path(entry.path).relative_to(self._root), entry)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:  # not there, or not ours to read
        return []


def _described(path: Path, entry: os.DirEntry[str]) -> InboxFile:
    known = entry.stat(follow_symlinks=False)
    modified = datetime.fromtimestamp(known.st_mtime, UTC)
    return InboxFile(path=path.as_posix(), size=known.st_size, modified=modified)


def _plain(name: str) -> bool:
    """Whether a name is one part of a path, neither hidden nor unfit to be shown."""
    return bool(name) and not name.startswith(".") and "/" not in name and name.isprintable()


def _parts(path: str) -> Sequence[str]:
    parts = path.split("/")
    if not all(map(_plain, parts)) or len(parts) > DEEPEST + 2:
        raise _gone()
    return parts


def _gone() -> NotFound:
    return NotFound(
        "There is no such file in the inbox.",
        field="inbox",
        hint="`GET /api/v1/inbox` lists those that there are.",
    )
