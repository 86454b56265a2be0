"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

import pytest

from services.host import atomic
from services.host.atomic import draft_of, write_atomically


@pytest.fixture
def path(tmp_path):
    return tmp_path / "report.html"


def names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("durable", [False, True])
def test_write_atomically_replaces_the_file_at_the_end_of_the_block(path, shared, durable):
    path.write_text("old")
    with write_atomically(path, shared=shared, durable=durable) as file:
        file.write("grüße\n")
        file.flush()
        assert path.read_text() == "old"
        assert len(names(path)) == 2
    assert path.read_bytes() == "grüße\n".encode()
    assert names(path) == ["report.html"]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_write_atomically_when_the_block_raises_leaves_the_old_file_and_no_draft(
    path, shared, error
):
    def write():
        with write_atomically(path, shared=shared) as file:
            file.write("new")
            raise error

    path.write_text("old")
    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old"
    assert names(path) == ["report.html"]


def test_write_atomically_uses_the_permissions_of_new_files(path):
    with write_atomically(path):
        pass
    (path.parent / "plain").touch()
    mode = (path.parent / "plain").stat().st_mode
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(mode)


def test_write_atomically_durable_syncs_the_file_before_the_renaming_and_the_folder_after(
    path, monkeypatch
):
    calls = []

    def fsync(descriptor):
        synced = Path(f"/proc/self/fd/{descriptor}").readlink()
        calls.append((synced == path.parent, path.exists()))

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    with write_atomically(path) as file:
        file.write("x")
    assert calls == []
    path.unlink()
    with write_atomically(path, durable=True) as file:
        file.write("x")
    assert calls == [(False, False), (True, True)]


def test_draft_of_replaces_the_draft_of_a_killed_process(path):
    for draft in (path.with_name(".report.html.part"), path.with_name(".folder.part")):
        draft.mkdir()
        (draft / "left").touch()
    with draft_of(path) as draft:
        draft.write_text("new")
    with draft_of(path.with_name("folder")) as draft:
        draft.mkdir()
        (draft / "new").touch()
    assert names(path) == ["folder", "report.html"]
    assert [entry.name for entry in path.with_name("folder").iterdir()] == ["new"]


def test_draft_of_shared_lets_two_writers_finish(path):
    with draft_of(path, shared=True) as one, draft_of(path, shared=True) as other:
        assert one != other
        assert one.suffix == other.suffix == ".html"
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"
    assert names(path) == ["report.html"]


def test_draft_of_folder_that_raises_is_removed(path):
    def copy():
        with draft_of(path) as draft:
            draft.mkdir()
            (draft / "a").touch()
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        copy()
    assert names(path) == []


def test_draft_of_when_nothing_was_written_raises(path):
    with pytest.raises(FileNotFoundError), draft_of(path):
        pass
