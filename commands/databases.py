"""`rundesk databases`."""

from __future__ import annotations

from pathlib import Path

import click

from commands.group import main
from commands.opening import opened
from services.access.actors import local_actor
from services.settings import MIB


@main.group()
def databases() -> None:
    """List, publish and remove the databases that sequences are searched in by name."""


@databases.command("list")
def list_databases() -> None:
    """Show what is published, and what was built of it."""
    with opened() as services:
        found = services.databases.list(local_actor())
    for database in found:
        whose = "published" if database.published else "own file"
        size = f"{database.size / MIB:.1f} MiB"
        click.echo(f"{database.name:24}  {whose}  {database.created:%Y-%m-%d}  {size}")
        for index in database.indexes:
            click.echo(
                f"    {index.part}: {index.type}, {index.sequences:,} in all,"
                f" built {index.built:%Y-%m-%d}, {index.size / MIB:.1f} MiB"
            )


@databases.command("publish")
@click.argument("name")
@click.argument("file")
def publish_database(name: str, file: str) -> None:
    """Give FILE, a path or the id of a registered file, a NAME for everybody."""
    path = Path(file)
    with opened() as services:
        made = services.databases.publish(local_actor(), name, path if path.is_file() else file)
    click.echo(f"{made.name} is published: {made.file}, {made.size / MIB:.1f} MiB.")


@databases.command("remove")
@click.argument("name")
def remove_database(name: str) -> None:
    """Withdraw a database and what was built of it; searches in it are kept."""
    with opened() as services:
        freed = services.databases.remove(local_actor(), name)
    click.echo(f"{name} is removed; {freed / MIB:.1f} MiB are free again.")
