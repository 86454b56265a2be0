"""Disk space of the host."""

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
    """Return whether there is too little free disk space to start a run."""
    try:
        return shutil.disk_usage(settings.data).free < settings.disk_floor * MIB
    except FileNotFoundError:  # the data folder was not created yet
        return False


def no_room(error: Exception) -> bool:
    """Return whether an error means a full disk. A shutil.Error only says so in its text."""
    if isinstance(error, shutil.Error):
        return any(os.strerror(number) in str(error) for number in FULL)
    return isinstance(error, OSError) and error.errno in FULL


@contextlib.contextmanager
def disk_full_as_error() -> Iterator[None]:
    """Raise DiskFull for an error of the block that means a full disk."""
    try:
        yield
    except OSError as error:
        if no_room(error):
            raise DiskFull from error
        raise
