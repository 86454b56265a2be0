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
    """Manage the named databases for sequence searches."""


@databases.command("list")
def list_databases() -> None:
    """List the databases and their search indexes."""
    with opened() as services:
        listed = services.databases.list(local_actor())
    for database in listed:
        kind = "published" if database.published else "user file"
        size = f"{database.size / MIB:.1f} MiB"
        click.echo(f"{database.name:24}  {kind}  {database.created:%Y-%m-%d}  {size}")
        for index in database.indexes:
            click.echo(
                f"    {index.part}: {index.type}, {index.sequences:,} sequences,"
                f" built {index.built:%Y-%m-%d}, {index.size / MIB:.1f} MiB"
            )


@databases.command("publish")
@click.argument("name")
@click.argument("file")
def publish_database(name: str, file: str) -> None:
    """Publish FILE under NAME for all users.

    FILE is a path or the id of a registered file.
    """
    path = Path(file)
    with opened() as services:
        database = services.databases.publish(local_actor(), name, path if path.is_file() else file)
    click.echo(f"Published {database.name}: {database.file}, {database.size / MIB:.1f} MiB.")


@databases.command("remove")
@click.argument("name")
def remove_database(name: str) -> None:
    """Remove a database and its search indexes. Finished searches keep their results."""
    with opened() as services:
        freed = services.databases.remove(local_actor(), name)
    click.echo(f"Removed {name} and freed {freed / MIB:.1f} MiB.")
