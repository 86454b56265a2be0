"""A full disk is recognized in errors of files and of folders."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from services.errors import DiskFull
from services.host.disk import disk_full_as_error, no_room

NO_ROOM = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
GONE = OSError(errno.ENOENT, os.strerror(errno.ENOENT))


def of_folder(error: OSError) -> shutil.Error:
    """The error that copying a folder raises when one of its files cannot be copied."""
    return shutil.Error([("from/a", "to/a", str(error))])


@pytest.mark.parametrize("error", [NO_ROOM, of_folder(NO_ROOM)])
def test_disk_without_room_is_told(error):
    assert no_room(error)
    with pytest.raises(DiskFull), disk_full_as_error():
        raise error


@pytest.mark.parametrize("error", [GONE, of_folder(GONE)])
def test_other_trouble_stays_what_it_is(error):
    assert not no_room(error)
    with pytest.raises(type(error)), disk_full_as_error():
        raise error
