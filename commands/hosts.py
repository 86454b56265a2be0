"""`rundesk hosts`: the hosts that execute runs."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from commands.group import main
from commands.opening import opened
from services.admin.hosts import Hosts


@main.group()
def hosts() -> None:
    """List the hosts that execute runs, or release the runs of a lost one."""


@hosts.command("list")
def show() -> None:
    """List the hosts, when their runners were last alive, and their running runs."""
    with opened() as services:
        found = Hosts(services.database).list()
    if not found:
        click.echo("No runner has been started yet.")
    for host, runs in found:
        age = max(0, round((datetime.now(UTC) - host.seen).total_seconds()))
        click.echo(f"{host.name}  alive {age} s ago  {runs} runs  {host.reason}".rstrip())


@hosts.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def lost(name: str, yes: bool) -> None:
    """Return the runs of a host that is gone for good to the queue.

    Only for a host that is switched off: its processes may otherwise still write files.
    """
    if not yes:
        click.confirm(f"Is {name} switched off, and are its runs to start again?", abort=True)
    with opened() as services:
        count = Hosts(services.database).lose(name)
    click.echo(f"{count} runs of {name} were released.")
