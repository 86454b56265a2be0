"""Files and folders that appear whole or not at all: written to a draft, then renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def draft_of(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Yield a free path in the folder of `path`; the file or folder put there becomes `path`.

    The draft is renamed at the end, in place of an existing file, and removed if the block or the
    renaming raises. Its name is fixed, so a draft that a killed process left is replaced by the
    next one. With `shared` several processes may write `path` at the same time: each draft then has
    a random name with the suffix of `path`.
    """
    draft = path.with_name(
        f".{secrets.token_hex(8)}{path.suffix}" if shared else f".{path.name}.part"
    )
    _remove(draft)
    try:
        yield draft
        draft.rename(path)
    except BaseException:
        _remove(draft)
        raise


@contextlib.contextmanager
def write_atomically(
    path: Path, *, shared: bool = False, durable: bool = False
) -> Iterator[TextIO]:
    """Yield a text file (UTF-8) whose content becomes the file `path` at the end of the block.

    If the block raises, `path` stays as it was. `shared` is as in `draft_of`. With `durable` the
    file and its name survive a power failure once the block has ended.
    """
    with draft_of(path, shared=shared) as draft, draft.open("x", encoding="utf-8") as file:
        yield file
        file.flush()
        if durable:
            os.fsync(file.fileno())
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(draft: Path) -> None:
    """Remove a draft, if there is one. A failure must not hide the error that led here."""
    if draft.is_dir() and not draft.is_symlink():
        shutil.rmtree(draft, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            draft.unlink()
