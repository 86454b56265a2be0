"""Copies of files that cost no space: clones and hard links."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from services.host.disk import no_room

FICLONE = 0x40049409  # linux/fs.h; shares the blocks of a file until either copy is written to


def clone_or_link(source: int, target: Path) -> bool:
    """Give the content of an open file a second name without copying its bytes.

    `target`, which must not exist, becomes a clone where the file system supports that, else a
    hard link. Returns False where neither is possible; `target` then does not exist. Raises OSError
    when the disk is full.
    """
    return _clone(source, target) or _link(source, target)


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
