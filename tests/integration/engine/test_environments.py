"""Conda environments that runs share, with a stand-in for conda: there is none on the test host.

The stand-in makes an environment like conda: it fails where the prefix exists already, and it is
not complete before the test lets it be.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from services.models import State
from services.settings import Settings
from tests.helpers.desk import Desk, running
from tests.helpers.waiting import free_port, until

CONDA = """#!/bin/sh
root=$(dirname "$(dirname "$0")")
case "$*" in
    "info --json") echo "{\\"conda_prefix\\": \\"$root\\", \\"platform\\": \\"linux-64\\"}" ;;
    --version) echo "conda 24.9.2" ;;
    clean*) ;;
    config*) echo '{"get": {"channel_priority": "strict"}}' ;;
    "env create"*)
        for word in "$@"; do prefix=$word; done
        prefix=${prefix#--prefix }; prefix=${prefix#--prefix=}
        mkdir "$prefix" || exit 1
        echo "$prefix" >> "$root/created"
        while [ ! -e "$root/go" ]; do sleep 0.1; done
        if [ -e "$root/unsolvable" ]; then
            echo "LibMambaUnsatisfiableError: sometool 1.0 does not exist"
            exit 1
        fi
        mkdir "$prefix/bin"
        printf '#!/bin/sh\\necho made\\n' > "$prefix/bin/sometool"
        chmod +x "$prefix/bin/sometool"
        ;;
    *) echo "unexpected: $*" >&2; exit 2 ;;
esac
"""
ACTIVATE = 'export PATH="$1/bin:$PATH"\n'


@pytest.fixture
def desk(mongod: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    data = tmp_path / "data"
    programs = data / "software" / "conda" / "bin"
    programs.mkdir(parents=True)
    (programs / "conda").write_text(CONDA)
    (programs / "conda").chmod(0o755)
    (programs / "activate").write_text(ACTIVATE)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    name = f"rundesk_test_{secrets.token_hex(6)}"
    settings = Settings(
        data=data,
        mongodb_uri=mongod,
        database=name,
        api_port=free_port(),
        software=("conda",),
        max_runs=2,
        run_cores=1,
    )
    with running(settings) as found:
        yield found
    with MongoClient[Any](mongod) as client:
        client.drop_database(name)


def says(desk: Desk, run_id: str, words: str) -> bool:
    console = desk.attempt(run_id).console
    return console.exists() and words in console.read_text(errors="replace")


def test_two_first_runs_create_an_environment_once_and_both_complete(desk):
    root = desk.settings.data / "software" / "conda"
    runs = [desk.submit("conda-tool") for _ in range(2)]
    waiting = "Another run is creating the conda environment"
    until(lambda: (root / "created").exists() and any(says(desk, run, waiting) for run in runs))
    (root / "go").touch()
    for run in map(desk.finished, runs):
        assert (run.state, run.error) == (State.COMPLETE, None)
        assert (desk.folder(run.id) / "results/tool.txt").read_text() == "made\n"
    assert len((root / "created").read_text().splitlines()) == 1


def test_environment_that_cannot_be_solved_fails_with_the_words_of_conda(desk):
    root = desk.settings.data / "software" / "conda"
    for name in ("go", "unsolvable"):
        (root / name).touch()
    run = desk.finished(desk.submit("conda-tool"))
    assert run.state is State.EXECUTOR_ERROR
    assert run.error is not None
    assert "LibMambaUnsatisfiableError: sometool 1.0 does not exist" in run.error
