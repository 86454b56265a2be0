"""Which walls start, and what lies within one."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from services.engine import confinement, shared_outputs
from services.engine.confinement import check_wall, missing_parts, programs, wall_of
from services.errors import Misconfigured
from services.host import wall
from services.host.wall import Support, without
from services.rundir import RunDir
from services.settings import HERE, Settings

ALL = Support(files=True, network=True, tcp=True, signals=True, mounts=True)
DEBIAN_12 = Support(files=True, network=True, tcp=False, signals=False, mounts=True)
NOTHING = Support(files=False, network=False, tcp=False, signals=False, mounts=False)
TOKENS = Settings(sign_in_by="tokens")


@pytest.mark.parametrize(
    ("settings", "found", "account", "words"),
    [
        (Settings(), NOTHING, 0, None),
        (TOKENS, ALL, 1000, None),
        (TOKENS, ALL, 0, "as root"),
        (TOKENS, NOTHING, 1000, "files, the network, signals"),
        (TOKENS, DEBIAN_12, 1000, "does not restrict: signals"),
        (replace(TOKENS, wall="available"), NOTHING, 0, None),
        (replace(TOKENS, wall="off"), ALL, 0, None),
    ],
)
def test_check_wall_with_sign_in_requires_a_complete_wall(
    monkeypatch, settings, found, account, words
):
    monkeypatch.setattr(wall, "support", lambda: found)
    monkeypatch.setattr(os, "geteuid", lambda: account)
    if words is None:
        check_wall(settings)
    else:
        with pytest.raises(Misconfigured, match=words):
            check_wall(settings)


def test_missing_parts_accepts_either_way_to_close_the_network():
    assert missing_parts(replace(ALL, network=False)) == ""
    assert missing_parts(replace(ALL, tcp=False)) == ""
    assert missing_parts(replace(ALL, network=False, tcp=False)) == "the network"


def test_without_yields_what_surrounds_a_hidden_path(tmp_path: Path):
    for name in ("a/data/runs", "a/program", "b"):
        (tmp_path / name).mkdir(parents=True)
    hidden = [tmp_path / "a/data"]
    assert set(without(tmp_path, hidden)) == {tmp_path / "a/program", tmp_path / "b"}
    assert list(without(tmp_path / "b", hidden)) == [tmp_path / "b"]
    assert list(without(tmp_path / "a/data", hidden)) == []


def test_programs_never_contain_what_rundesk_stores(tmp_path: Path):
    data = tmp_path / "data"
    found = programs(Settings(data=data))
    for secret in (data, HERE / ".env", HERE / "api.py", Path.home() / ".ssh"):
        assert not [path for path in found if secret.is_relative_to(path)], secret
    assert any(Path(sys.executable).resolve().is_relative_to(path) for path in found)


def workflow(folder: Path, snakefile: str = "", manifest: str = "") -> Path:
    (folder / "workflow").mkdir(parents=True)
    (folder / "workflow/Snakefile").write_text(snakefile)
    (folder / "rundesk.yaml").write_text(manifest)
    return folder


@pytest.mark.parametrize(
    ("allowed", "manifest", "network"),
    [
        ("none", "needs: network", False),
        ("declared", "needs: network", True),
        ("declared", "needs: {network: true}", True),
        ("declared", "needs: {executables: [ls]}", False),
        ("declared", "needs: [", False),
    ],
)
def test_wall_of_has_a_network_when_asked_for_and_allowed(tmp_path, allowed, manifest, network):
    settings = Settings(data=tmp_path / "data", run_network=allowed)
    folder = workflow(tmp_path / "flow", manifest=manifest)
    assert wall_of(settings, RunDir(tmp_path / "run"), folder).network is network


def test_wall_of_a_workflow_that_installs_software_has_its_folder_and_the_network(tmp_path):
    settings = Settings(data=tmp_path / "data", software=("conda", "apptainer"))
    folder = workflow(tmp_path / "flow", 'rule a:\n    conda: "env.yaml"\n')
    made = wall_of(settings, RunDir(tmp_path / "run"), folder)
    assert settings.data / "software/conda" in made.writes
    assert settings.data / "software/apptainer" not in made.writes
    assert made.network
    assert not made.mounts


def test_wall_of_reads_the_shared_cache_only_where_a_rule_uses_it(tmp_path):
    settings = Settings(data=tmp_path / "data")
    with_cache = workflow(tmp_path / "one", "rule a:\n    cache: True\n")
    plain = workflow(tmp_path / "two", "rule a:\n    output: 'cache'\n")
    rundir = RunDir(tmp_path / "run")
    assert settings.cache in wall_of(settings, rundir, with_cache).reads
    assert settings.cache not in wall_of(settings, rundir, plain).reads
    for made in (wall_of(settings, rundir, with_cache), wall_of(settings, rundir, plain)):
        assert settings.cache not in made.writes


def test_move_in_follows_no_link_that_an_earlier_attempt_left(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    rundir, other = RunDir(tmp_path / "run"), tmp_path / "other"
    for folder in (rundir.root, other):
        folder.mkdir()
    (other / "kept").touch()
    rundir.home.symlink_to(other)
    rundir.scratch.symlink_to(other)
    confinement.move_in(Settings(data=tmp_path), rundir)
    assert [path.name for path in other.iterdir()] == ["kept"]
    assert rundir.home.is_dir()
    assert not rundir.home.is_symlink()


KEY = "0" * 64


def test_adopt_moves_new_entries_and_links_them(tmp_path):
    cache, view = tmp_path / "cache", tmp_path / "view"
    cache.mkdir()
    (cache / ("1" * 64)).write_text("known")
    shared_outputs.show(cache, view)
    (view / f"{KEY}_index.db").write_text("new")
    (view / ("2" * 64)).mkdir()
    (view / ("2" * 64) / "part").write_text("in a folder")
    shared_outputs.adopt(cache, view)
    assert (cache / f"{KEY}_index.db").read_text() == "new"
    assert (view / f"{KEY}_index.db").resolve() == cache / f"{KEY}_index.db"
    assert (cache / ("2" * 64) / "part").read_text() == "in a folder"
    assert (cache / ("1" * 64)).read_text() == "known"


def test_adopt_leaves_links_other_names_and_known_entries(tmp_path):
    cache, view = tmp_path / "cache", tmp_path / "view"
    cache.mkdir()
    view.mkdir()
    (cache / KEY).write_text("known")
    (view / KEY).write_text("forged")
    (view / "secret").write_text("x")
    (view / ("3" * 64)).symlink_to("/etc/passwd")
    (view / ("4" * 64)).mkdir()
    (view / ("4" * 64) / "link").symlink_to("/etc/passwd")
    shared_outputs.adopt(cache, view)
    assert [path.name for path in cache.iterdir()] == [KEY]
    assert (cache / KEY).read_text() == "known"


def test_show_replaces_a_link_to_an_entry_that_is_gone(tmp_path):
    cache, view = tmp_path / "cache", tmp_path / "view"
    cache.mkdir()
    (cache / KEY).write_text("first")
    shared_outputs.show(cache, view)
    (cache / KEY).unlink()
    assert not (view / KEY).exists()
    (cache / KEY).write_text("second")
    shared_outputs.show(cache, view)
    assert (view / KEY).read_text() == "second"
