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
    """Manage the cache that runs share: outputs of rules marked `cache: True`."""


@cache.command("list")
def list_entries() -> None:
    """List the entries of the cache, the least recently used first."""
    with opened() as services:
        entries = services.cache.list(local_actor())
    for entry in entries:
        click.echo(
            f"{entry.key[:12]}  used {entry.used:%Y-%m-%d}  created {entry.made:%Y-%m-%d}"
            f"  {entry.size / MIB:8.1f} MiB  {entry.names[:60]}"
        )
    click.echo(f"Entries: {len(entries)}; size: {sum(e.size for e in entries) / MIB:.1f} MiB")


@cache.command("prune")
@click.option(
    "--days",
    type=click.IntRange(0, 3650),
    default=90,
    show_default=True,
    help="Minimum days since last use.",
)
def prune(days: int) -> None:
    """Remove entries that were not used recently.

    Entries that a current run uses are kept. A later run creates a removed entry again. Published
    results are not affected.
    """
    with opened() as services:
        before = datetime.now(UTC) - timedelta(days=days)
        removed = services.cache.prune(local_actor(), before)
    freed = sum(entry.size for entry in removed) / MIB
    click.echo(f"Removed entries: {len(removed)}; freed: {freed:.1f} MiB")
