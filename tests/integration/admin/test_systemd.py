"""The units for systemd, checked by systemd where it is installed."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path

import pytest

from services.admin import systemd
from services.errors import Misconfigured

PASSWORD = 'p@ss%/"$'


def install(tmp_path, **settings):
    folder, environment = tmp_path / "units", tmp_path / "rundesk.env"
    return systemd.install(folder, environment, getpass.getuser(), tmp_path / "data", settings)


def test_settings_are_readable_by_their_owner_only_and_in_no_unit(tmp_path):
    environment, *units = install(tmp_path, RUNDESK_REMOTE_USER_SECRET=PASSWORD)
    assert environment.stat().st_mode & 0o777 == 0o600
    assert environment.read_text() == 'RUNDESK_REMOTE_USER_SECRET="p@ss%/\\"\\$"\n'
    names = {unit.name.removeprefix("rundesk").strip("-") for unit in units}
    assert {"db.service", "api.service", "portal.service", "runner.service", ".target"} == names
    for unit in units:
        assert "p@ss" not in unit.read_text()
    runner = (tmp_path / "units" / "rundesk-runner.service").read_text()
    assert "KillMode=process" in runner
    assert f"EnvironmentFile={environment}" in runner


def test_file_of_settings_that_others_could_read_is_closed(tmp_path):
    (tmp_path / "rundesk.env").touch(mode=0o644)
    environment, *_ = install(tmp_path, RUNDESK_DATA="/srv")
    assert environment.stat().st_mode & 0o777 == 0o600


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "units").write_text("in the way")
    with pytest.raises(Misconfigured, match=r"units/rundesk-db\.service cannot be written"):
        install(tmp_path)


def test_value_with_a_line_break_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match="RUNDESK_ADMINS has a line break"):
        install(tmp_path, RUNDESK_ADMINS="ann\nRUNDESK_HOST=0.0.0.0")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path):
    _, *units = install(tmp_path, MONGODB_URI=f"mongodb://ann:{PASSWORD}@127.0.0.1/")
    checked = subprocess.run(
        ["systemd-analyze", "verify", *map(str, units)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not [line for line in checked.stderr.splitlines() if str(tmp_path) in line]
    assert Path(units[0]).exists()
