"""Disk space of the host, and whether the folders of runs can be written."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Iterator

from services.errors import DiskFull, Message, Text
from services.settings import MIB, Settings

FULL = (errno.ENOSPC, errno.EDQUOT)
MIN_FREE_INODES = 1000  # a run needs some dozens, its jobs more

LOW_DISK_SPACE = Message("disk_full", "Low disk space: no run starts until space is freed.")
NO_INODES = Message(
    "disk_full",
    "Only {count} more files fit on the disk: no run starts until files are deleted.",
    one="Only 1 more file fits on the disk: no run starts until files are deleted.",
)
NOT_WRITABLE = Message(
    "system_error", "The folder of runs cannot be written ({reason}): no run starts until it can."
)


def too_full(settings: Settings) -> bool:
    """Return whether there is too little free disk space to start a run."""
    try:
        return shutil.disk_usage(settings.data).free < settings.disk_floor * MIB
    except FileNotFoundError:  # the data folder was not created yet
        return False


def shortage(settings: Settings) -> Text | None:
    """Return what is missing on the disk to start a run: space or inodes."""
    if too_full(settings):
        return LOW_DISK_SPACE()
    with contextlib.suppress(FileNotFoundError):
        found = os.statvfs(settings.data)
        if found.f_files and found.f_favail < MIN_FREE_INODES:  # btrfs and others count none
            return NO_INODES(count=found.f_favail)
    return None


def obstacle(settings: Settings) -> Text | None:
    """Return why the storage lets no run start. Tries to create a folder."""
    if (missing := shortage(settings)) is not None:
        return missing
    runs = settings.data / "runs"
    probe = runs / f".probe-{os.getpid()}-{threading.get_native_id()}"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # of a process that was killed
            probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return NOT_WRITABLE(reason=os.strerror(error.errno or errno.EIO))
    return None


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
