"""Libraries of front ends and generators of clients, which `make .venv/.clients` installs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.settings import HERE

CLIENTS = HERE / "tests" / "clients"
NODE = HERE / ".venv" / "node"
GENERATORS = HERE / ".venv" / "generators" / "bin"
TIMEOUT_S = 300  # of one command, on a machine with much other work


def need_npm() -> None:
    """Skip the test where npm is not installed."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    assert (NODE / "node_modules").is_dir(), "Run make .venv/.clients"


def run(*command: str | Path, cwd: Path, given: Any = None, **environment: str) -> str:
    """Return what a command prints; fail with its output where it fails.

    `given` is sent to its standard input as JSON.
    """
    completed = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=os.environ | {"PATH": f"{GENERATORS}:{os.environ['PATH']}"} | environment,
        input=None if given is None else json.dumps(given),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout[-3000:] + completed.stderr[-3000:]
    return completed.stdout


def node(name: str, *arguments: str, cwd: Path, given: Any = None) -> str:
    """Run a program of the installed packages, or a script, with Node.js in `cwd`."""
    program = NODE / "node_modules" / ".bin" / name
    command = [program] if program.exists() else ["node", name]
    return run(*command, *arguments, cwd=cwd, given=given)


def folder(path: Path) -> Path:
    """Return `path` as a folder with our clients, in which the installed packages are found."""
    path.mkdir(exist_ok=True)
    for file in CLIENTS.iterdir():
        if file.is_file():
            shutil.copy(file, path)
    (path / "node_modules").symlink_to(NODE / "node_modules")
    return path


def bundle(path: Path, name: str, *options: str) -> Path:
    """Return one script with all that a client in a folder imports."""
    made = path / f"{Path(name).stem}.bundle.js"
    node(
        "esbuild", "--bundle", f"--outfile={made}", "--log-level=warning", *options, name, cwd=path
    )
    return made
