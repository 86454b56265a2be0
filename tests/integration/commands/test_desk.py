"""The whole desk as an operator starts and stops it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from cli import main
from commands.serving import responds
from services.settings import HERE
from tests.helpers.waiting import PATIENCE, free_port, until

SECRET = "sixteen-letters!"


@pytest.fixture
def environ(tmp_path):
    """A desk of its own, with an embedded database."""
    ports = ("RUNDESK_API_PORT", "RUNDESK_PORTAL_PORT", "RUNDESK_DB_PORT")
    own = {name: str(free_port()) for name in ports}
    return {**own, "RUNDESK_DATA": str(tmp_path / "data"), "MONGODB_URI": ""}


def invoke(environ, *arguments):
    return CliRunner().invoke(main, arguments, env=environ)


@pytest.mark.parametrize("command", [("serve", "api"), ("serve", "portal"), ("up",)])
def test_another_address_without_sign_in_is_refused_in_one_sentence(environ, command):
    result = invoke({**environ, "RUNDESK_HOST": "0.0.0.0"}, *command)
    assert result.exit_code == 1
    assert result.output.startswith("Error: RUNDESK_HOST=0.0.0.0 is not a loopback address")
    assert "RUNDESK_REMOTE_USER_HEADER" in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "command"),
    [
        ("RUNDESK_API_PORT", ("serve", "api")),
        ("RUNDESK_PORTAL_PORT", ("serve", "portal")),
        ("RUNDESK_API_PORT", ("up",)),
    ],
)
def test_a_port_that_is_taken_is_refused_in_one_sentence(environ, setting, command):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = invoke({**environ, setting: str(port)}, *command)
    assert result.exit_code == 1
    assert result.output == (
        f"Error: Port {port} is in use by another program; set {setting} to a free port.\n"
    )


def test_settings_are_shown_without_secrets(environ):
    given = {"RUNDESK_REMOTE_USER_HEADER": "X-User", "RUNDESK_REMOTE_USER_SECRET": SECRET}
    result = invoke({**environ, **given, "MONGODB_URI": "mongodb://u:pw@db/"}, "settings")
    assert result.exit_code == 0
    assert "RUNDESK_REMOTE_USER_HEADER=X-User" in result.output
    assert "RUNDESK_MAX_RUNS=4  (default)" in result.output
    assert SECRET not in result.output
    assert "pw@" not in result.output


def test_doctor_finds_what_is_there_and_what_is_not(environ):
    well = invoke(environ, "doctor")
    assert "Database: The embedded MongoDB" in well.output
    assert "Workflow sequence-search" in well.output
    ill = invoke({**environ, "MONGOD": "/nowhere/mongod"}, "doctor")
    assert ill.exit_code == 1
    assert "FAIL  Database: MONGOD=/nowhere/mongod is not a file" in ill.output


def test_up_starts_everything_and_stops_everything(environ, tmp_path):
    console = tmp_path / "console"
    with console.open("w") as output:
        desk = subprocess.Popen(
            [sys.executable, str(HERE / "cli.py"), "up"],
            cwd=tmp_path,  # not where the project is
            env={**os.environ, **environ},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: "Rundesk is ready." in console.read_text() or desk.poll() is not None)
        assert desk.poll() is None, console.read_text()
        assert responds(f"http://127.0.0.1:{environ['RUNDESK_API_PORT']}/healthz")
        assert responds(f"http://127.0.0.1:{environ['RUNDESK_PORTAL_PORT']}/_stcore/health")
        assert (Path(environ["RUNDESK_DATA"]) / "db" / "mongod.log").exists()
        family = psutil.Process(desk.pid).children(recursive=True)
        assert len(family) > 4
    finally:
        desk.send_signal(signal.SIGINT)
        code = desk.wait(PATIENCE)
    assert code == 0
    psutil.wait_procs(family, timeout=PATIENCE)
    assert not [process for process in family if process.is_running()]
