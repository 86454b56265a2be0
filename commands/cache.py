"""`rundesk cache`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from commands.group import main
from commands.opening import opened
from services.access.actors import local_actor
from services.settings import MIB


@main.group()
def cache() -> None:
    """Look after what runs share: outputs of rules marked `cache: True`, databases for example."""


@cache.command("list")
def list_entries() -> None:
    """Show what is kept, the longest unused first."""
    with opened() as services:
        found = services.cache.list(local_actor())
    for entry in found:
        click.echo(
            f"{entry.key[:12]}  used {entry.used:%Y-%m-%d}  made {entry.made:%Y-%m-%d}"
            f"  {entry.size / MIB:8.1f} MiB  {entry.names[:60]}"
        )
    click.echo(f"{len(found)} in all, {sum(entry.size for entry in found) / MIB:.1f} MiB")


@cache.command("prune")
@click.option(
    "--days", type=click.IntRange(0, 3650), default=90, show_default=True, help="Unused so long."
)
def prune(days: int) -> None:
    """Remove what was not used for some time; runs at work keep theirs.

    What is needed again is made again. Results of runs are no part of this.
    """
    with opened() as services:
        before = datetime.now(UTC) - timedelta(days=days)
        gone = services.cache.prune(local_actor(), before)
    freed = sum(entry.size for entry in gone) / MIB
    click.echo(f"{len(gone)} removed; {freed:.1f} MiB are free again.")
