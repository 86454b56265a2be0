"""`rundesk service`: run Rundesk with systemd."""

from __future__ import annotations

from pathlib import Path

import click

from commands.group import main
from services.admin import systemd
from services.settings import Settings, environment


@main.group()
def service() -> None:
    """Run Rundesk with systemd."""


@service.command()
@click.option("--user", required=True, help="Account that runs Rundesk.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("/etc/systemd/system"),
    show_default=True,
    help="Folder of the units.",
)
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    default=Path("/etc/rundesk.env"),
    show_default=True,
    help="File for the present settings, readable by its owner only.",
)
def install(user: str, folder: Path, settings: Path) -> None:
    """Write units for systemd and a file with the present settings."""
    data = Settings.load().data
    given = systemd.settings_of(environment()) | {"RUNDESK_DATA": str(data)}
    for path in systemd.install(folder, settings, user, data, given):
        click.echo(f"Written: {path}")
    click.echo("Start Rundesk with: systemctl daemon-reload; systemctl enable --now rundesk.target")
