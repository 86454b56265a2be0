"""Outputs that runs share: Snakemake's between-workflow cache, seen through a folder of each run.

A run can read the entries of the shared cache and change none. It sees them as links in a folder of
its own, and what its jobs add there is moved into the shared cache when the attempt has ended.
"""

from __future__ import annotations

import contextlib
import logging
import re
import stat
from pathlib import Path

log = logging.getLogger("rundesk.shared_outputs")

ENTRY = re.compile(r"[0-9a-f]{64}(?:[._][A-Za-z0-9._-]+)?")  # the key of a job, and an output


def show(cache: Path, view: Path) -> None:
    """Link every entry of the shared cache in `view`, a folder of a run."""
    view.mkdir(parents=True, exist_ok=True)
    for entry in cache.iterdir():
        link = view / entry.name
        if not link.exists():  # an entry that was removed meanwhile is made again
            with contextlib.suppress(FileNotFoundError):
                link.unlink()
            link.symlink_to(entry)


def adopt(cache: Path, view: Path) -> None:
    """Move new entries from the folder of a run into the shared cache, and link them there.

    No process of the run is alive any more. Anything but files and folders of files is left where
    it is: a link could lead anywhere.
    """
    if view.is_symlink() or not view.is_dir():
        return
    for path in view.iterdir():
        target = cache / path.name
        if not ENTRY.fullmatch(path.name) or target.exists() or not _plain(path):
            continue
        try:
            path.rename(target)
        except OSError:  # another run was first, or the disk is full
            log.exception("the shared output %s could not be stored", path.name)
        else:
            path.symlink_to(target)


def _plain(path: Path) -> bool:
    """Return whether a path is a file, or a folder with nothing but files and such folders."""
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        return all(map(_plain, path.iterdir()))
    return stat.S_ISREG(mode)
