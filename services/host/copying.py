"""Copies of files: clones and hard links, which cost no space, and checked copies."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

from services.host.disk import no_room

COPY_BYTES = 1024 * 1024  # read at once
FICLONE = 0x40049409  # linux/fs.h; shares the blocks of a file until either copy is written to


def clone_or_link(source: int, target: Path) -> bool:
    """Give the content of an open file a second name without copying its bytes.

    `target`, which must not exist, becomes a clone where the file system supports that, else a
    hard link. Returns False where neither is possible; `target` then does not exist. Raises OSError
    when the disk is full.
    """
    return _clone(source, target) or _link(source, target)


def copy_checked(source: Path, target: Path) -> str:
    """Copy a file, as a clone where the file system supports that; return the SHA-256 of the copy.

    `target`, which must not exist, shares no byte with `source` that can be written through it.
    Raises OSError.
    """
    with source.open("rb") as file:
        if _clone(file.fileno(), target):
            with target.open("rb") as copy:
                return hashlib.file_digest(copy, "sha256").hexdigest()
        digest = hashlib.sha256()
        with target.open("xb") as copy:
            while chunk := file.read(COPY_BYTES):
                digest.update(chunk)
                copy.write(chunk)
        return digest.hexdigest()


def _clone(source: int, target: Path) -> bool:
    try:
        with target.open("xb") as file:
            fcntl.ioctl(file.fileno(), FICLONE, source)
    except OSError as error:  # the file system cannot clone, or the files are on different ones
        target.unlink(missing_ok=True)
        if no_room(error):
            raise
        return False
    return True


def _link(source: int, target: Path) -> bool:
    try:
        root = os.open("/", os.O_PATH)  # any folder: given one, a link of /proc is followed
        try:
            os.link(f"/proc/self/fd/{source}", target, src_dir_fd=root, follow_symlinks=True)
        finally:
            os.close(root)
    except OSError as error:  # another file system, or one without links
        if no_room(error):
            raise
        return False
    return True
