"""Copies that share their bytes with the original."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os

import pytest

from services.host import copying
from services.host.copying import clone_or_link, copy_checked


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"content")
    with path.open("rb") as file:
        yield file


def refuse(number):
    def call(*_, **__):
        raise OSError(number, os.strerror(number))

    return call


def test_clone_or_link_gives_the_content_a_second_name(source, tmp_path):
    assert clone_or_link(source.fileno(), tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"content"


def test_clone_or_link_without_clones_makes_a_hard_link(source, tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "ioctl", refuse(errno.EOPNOTSUPP))
    assert clone_or_link(source.fileno(), tmp_path / "target")
    assert (tmp_path / "target").stat().st_ino == os.fstat(source.fileno()).st_ino


def test_clone_or_link_where_neither_works_leaves_nothing(source, tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "ioctl", refuse(errno.EXDEV))
    monkeypatch.setattr(copying.os, "link", refuse(errno.EXDEV))
    assert not clone_or_link(source.fileno(), tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_clone_or_link_on_a_full_disk_raises(source, tmp_path, monkeypatch, number):
    monkeypatch.setattr(fcntl, "ioctl", refuse(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        clone_or_link(source.fileno(), tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("clones", [True, False])
def test_copy_checked_makes_a_file_of_its_own(source, tmp_path, monkeypatch, clones):
    if not clones:
        monkeypatch.setattr(fcntl, "ioctl", refuse(errno.EOPNOTSUPP))
    digest = copy_checked(tmp_path / "source", tmp_path / "target")
    assert digest == hashlib.sha256(b"content").hexdigest()
    with (tmp_path / "target").open("ab") as file:
        file.write(b" changed")
    assert (tmp_path / "source").read_bytes() == b"content"
