"""How the command of operators finds its parts."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click

from commands import group
from services.settings import HERE


def test_every_command_is_found_where_it_is_said_to_be():
    for path in (HERE / "commands").glob("*.py"):
        import_module(f"commands.{path.stem}")
    assert set(group.main.commands) == set(group.HOMES)
    context = click.Context(group.main)
    homes = {
        name: group.main.get_command(context, name).callback.__module__ for name in group.HOMES
    }
    assert homes == {name: f"commands.{home}" for name, home in group.HOMES.items()}


def test_servers_are_started_without_what_only_they_need():
    code = "import cli, sys; from commands import serving; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, check=True)
    assert {"pymongo", "flask", "streamlit", "snakemake"}.isdisjoint(said.stdout.decode().split())
