"""What a run cannot do: a parameter that a workflow does not quote, with the wall and without."""

from __future__ import annotations

import io
import secrets
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient, uri_parser

from services.access.actors import local_actor
from services.errors import NotFound
from services.files.registry import content
from services.host import wall
from services.models import Actor, RunRequest, State
from services.rundir import RunDir
from services.settings import HERE, Settings
from tests.helpers.desk import Desk, running

SECRET = secrets.token_hex(16).encode()
TRIED = "tried.txt"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"


@contextmanager
def a_desk(mongod: str, folder: Path, **given: Any) -> Iterator[Desk]:
    name = f"rundesk_test_{secrets.token_hex(6)}"
    settings = Settings(data=folder / "data", mongodb_uri=mongod, database=name, **given)
    with running(settings) as desk:
        (settings.data / "secret").write_bytes(SECRET)
        yield desk
    with MongoClient[Any](mongod) as client:
        client.drop_database(name)


@pytest.fixture(scope="module")
def desk(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """An installation with the default wall, whose server has a secret in its environment."""
    variables = {"AWS_SECRET_ACCESS_KEY": "not for runs", "FOR_RUNS": "yes"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        with a_desk(mongod, tmp_path_factory.mktemp("desk"), run_variables=("FOR_RUNS",)) as made:
            yield made


@pytest.fixture(scope="module")
def listener() -> Iterator[int]:
    """A server that is not Rundesk's; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def tries(desk: Desk, listener: int) -> dict[str, str]:
    """Return shell commands that reach for what belongs to others, by name."""
    data = desk.settings.data
    other = desk.finished(desk.submit("unquoted", label="another run")).id
    file = desk.services.files.register(Actor(id="ann"), "private.txt", io.BytesIO(b"of ann\n"))
    results = RunDir.of(data, other).results / "honest.txt"
    (host, port), *_ = uri_parser.parse_uri(desk.settings.uri)["nodelist"]
    python = shlex.quote(sys.executable)
    connect = f"{python} -c {shlex.quote(CONNECT)}"
    return {
        "read the key of signed links": f"cat {data}/secret",
        "read a file of another user": f"cat {content(data, file.sha256)}",
        "list the files of others": f"ls {data}/files {data}/runs",
        "read another run": f"cat {results}",
        "write results of another run": f"echo forged >> {results}",
        "read what Rundesk keeps about runs": f"cat {data}/records/{other}/attempt-1/exit.json",
        "write what Rundesk keeps": f": >> {data}/records/{other}/manifest.json",
        "reach the database": f"{connect} {host} {port}",
        "reach the network": f"{connect} 127.0.0.1 {listener}",
        "read the environment of the runner": f"head -c 1 /proc/{desk.runner.pid}/environ",
        "signal the runner": f"kill -CONT {desk.runner.pid}",
        "write the code of Rundesk": f": >> {HERE}/api.py",
        "write a package of Rundesk": f": >> {HERE}/services/errors.py",
        "write a package of Python": f": >> {sys.prefix}/pyvenv.cfg",
    } | ({"change a file of another run": f"touch {results}"} if wall.support().mounts else {})


def attempted(desk: Desk, commands: dict[str, str]) -> dict[str, bool]:
    """Return which commands succeed when they are the text of a parameter."""
    script = "; ".join(
        f"({command}) > /dev/null 2>&1; echo $? >> {TRIED}" for command in commands.values()
    )
    run = desk.finished(desk.submit("unquoted", label=f"$({script})"))
    assert run.state is State.COMPLETE, run.error
    assert desk.results(run.id) == ["results/honest.txt"]
    codes = (desk.folder(run.id) / TRIED).read_text().split()
    return dict(zip(commands, (code == "0" for code in codes), strict=True))


@pytest.mark.skipif(not wall.support().complete, reason="this host supports no complete wall")
def test_an_unquoted_parameter_reaches_nothing_of_others(desk, listener):
    commands = tries(desk, listener)
    assert attempted(desk, commands) == dict.fromkeys(commands, False)


@pytest.mark.long
def test_without_a_wall_the_same_parameter_reaches_all_of_it(mongod, tmp_path, listener):
    with a_desk(mongod, tmp_path, wall="off") as desk:
        commands = tries(desk, listener)
        reached = attempted(desk, commands)
    assert [name for name, done in reached.items() if not done] == []


def test_a_run_has_no_variables_of_the_server(desk):
    run = desk.finished(desk.submit("unquoted", label="$(env > env.txt)"))
    folder = desk.folder(run.id)
    lines = (folder / "env.txt").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    assert values["FOR_RUNS"] == "yes"
    assert values["HOME"] == str(folder / ".home")
    assert values["TMPDIR"] == str(folder / ".tmp")
    assert "AWS_SECRET_ACCESS_KEY" not in values
    assert [name for name in values if name.startswith(("RUNDESK_", "MONGO"))] == ["RUNDESK_RUN"]
    assert not (folder / ".home").exists()
    assert not (folder / ".tmp").exists()


def test_a_job_that_changes_its_input_changes_no_stored_file(desk):
    file = desk.services.files.register(local_actor(), "shared.txt", io.BytesIO(b"shared\n"))
    label = "$(chmod u+w inputs/*/*; echo hacked >> inputs/*/*; cat inputs/*/* > seen.txt)"
    request = RunRequest(workflow="unquoted", params={"label": label, "reads": file.id})
    run = desk.finished(desk.services.runs.submit(local_actor(), request).id)
    assert run.state is State.COMPLETE
    assert (desk.folder(run.id) / "seen.txt").read_text() == "shared\nhacked\n"
    assert content(desk.settings.data, file.sha256).read_text() == "shared\n"


def test_links_of_a_run_lead_the_server_nowhere(desk):
    link = f"ln -sf {desk.settings.data}/secret"
    label = f"$({link} logs/write.log; {link} config.json; {link} results/more.txt)"
    run = desk.finished(desk.submit("unquoted", label=label))
    assert run.state is State.COMPLETE
    assert desk.results(run.id) == ["results/honest.txt"]
    with pytest.raises(NotFound):
        desk.services.runs.job_log(local_actor(), run.id, "1-1")
    crate = desk.services.crates.bundle(local_actor(), run.id)
    assert SECRET not in b"".join(crate.blocks)


def test_support_names_the_parts_that_stand():
    assert wall.support().files == (wall._abi(wall._libc()) >= wall.MIN_ABI)
    assert wall.support().signals == (wall._abi(wall._libc()) >= wall.SCOPE_ABI)


def test_a_preview_is_behind_the_wall(desk):
    """Reading a Snakefile executes it, with the parameters of a user."""
    secret, seen = desk.settings.data / "secret", desk.settings.data / "seen"
    request = RunRequest(workflow="parsing", params={"path": str(secret), "copy": str(seen)})
    preview = desk.services.previews.preview(local_actor(), request)
    assert not seen.exists()
    assert "Permission" in " ".join(preview.problems)
