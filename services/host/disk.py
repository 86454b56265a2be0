"""Room on the disk of the desk."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator

from services.errors import DiskFull
from services.settings import MIB, Settings

FULL = (errno.ENOSPC, errno.EDQUOT)


def too_full(settings: Settings) -> bool:
    """Whether there is so little room that no run should start."""
    try:
        return shutil.disk_usage(settings.data).free < settings.disk_floor * MIB
    except FileNotFoundError:  # a desk that was never used
        return False


def no_room(error: Exception) -> bool:
    """Whether the disk was full. An error about a whole folder tells that in its text only."""
    if isinstance(error, shutil.Error):
        return any(os.strerror(number) in str(error) for number in FULL)
    return isinstance(error, OSError) and error.errno in FULL


@contextlib.contextmanager
def disk_full_as_error() -> Iterator[None]:
    """Raises DiskFull when what is done in here finds no room."""
    try:
        yield
    except OSError as error:
        if no_room(error):
            raise DiskFull(hint="Tell the operators of this desk.") from error
        raise
