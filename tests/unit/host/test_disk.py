"""What the storage must offer for runs to start."""

from __future__ import annotations

import os

import pytest

from services.host import disk
from services.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data", disk_floor=0)


def test_new_data_folder_is_no_obstacle(settings):
    assert disk.obstacle(settings) is None
    assert list((settings.data / "runs").iterdir()) == []


def test_folder_of_runs_that_cannot_be_written_is_an_obstacle(settings):
    settings.data.mkdir()
    (settings.data / "runs").write_text("in the way")
    assert disk.obstacle(settings) == disk.NOT_WRITABLE(reason="File exists")
    (settings.data / "runs").unlink()
    assert disk.obstacle(settings) is None


@pytest.mark.parametrize(
    ("total", "free", "text"),
    [
        (10**6, 10**5, None),
        (10**6, 999, disk.NO_INODES(count=999)),
        (0, 0, None),  # a file system without a fixed number
    ],
)
def test_files_that_fit_on_the_disk_are_counted(settings, monkeypatch, total, free, text):
    settings.data.mkdir()
    real = list(os.statvfs(settings.data))
    real[5], real[7] = total, free
    monkeypatch.setattr(disk.os, "statvfs", lambda _: os.statvfs_result(real))
    assert disk.shortage(settings) == text
