"""The supported Pythons other than the one of the tests: install from the lock, execute a run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from services.settings import HERE

INSTALL_TIMEOUT_S = 600
RUN_TIMEOUT_S = 120
CLASSIFIER = "Programming Language :: Python :: 3."
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
MINORS = [
    int(name.removeprefix(CLASSIFIER))
    for name in PROJECT["classifiers"]
    if name.startswith(CLASSIFIER)
]


def interpreter(minor: int) -> str:
    """Return the path of a Python 3.`minor` that can make environments; skip without one."""
    paths = [shutil.which(f"python3.{minor}")]
    paths += sorted(map(str, Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3")))
    for path in filter(None, paths):
        probe = subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True)
        if probe.returncode == 0:
            return path
    pytest.skip(f"python3.{minor} with venv is neither on the PATH nor among those of pyenv")


def test_supported_pythons_are_stated_once():
    assert PROJECT["requires-python"] == f">=3.{min(MINORS)},<3.{max(MINORS) + 1}"


@pytest.mark.long
@pytest.mark.timeout(INSTALL_TIMEOUT_S + RUN_TIMEOUT_S)
@pytest.mark.parametrize("minor", [minor for minor in MINORS if minor != sys.version_info.minor])
def test_run_completes_on_another_python(minor: int, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    subprocess.run([interpreter(minor), "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [HERE / ".ci" / "install", python, "run"],
        env=os.environ | {"BY": sys.executable},
        check=True,
        timeout=INSTALL_TIMEOUT_S,
    )
    done = subprocess.run(
        [python, "-W", "error::SyntaxWarning", "-m", "bench.latency", "--runs", "1"],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "COMPLETE" in done.stdout
