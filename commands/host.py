"""`rundesk settings` and `rundesk doctor`: what this desk is told, and what its host has."""

from __future__ import annotations

import os
import sys

import click

from commands.group import main
from services import bootstrap, doctor
from services.settings import Settings, table

SECRETS = frozenset({"MONGODB_URI", "RUNDESK_REMOTE_USER_SECRET"})


@main.command("settings")
@click.option("--markdown", is_flag=True, help="Print a Markdown table instead.")
def show_settings(markdown: bool) -> None:
    """Show every setting with its value; secrets are hidden."""
    if markdown:
        click.echo(settings_in_markdown())
        return
    Settings.load()
    for row in table():
        given = os.environ.get(row["name"], "").strip()
        value = "(hidden)" if given and row["name"] in SECRETS else given or row["default"]
        source = "" if given else "  (default)"
        click.echo(f"{row['name']}={value}{source}\n    {row['help']} {row['unit']}".rstrip())


def settings_in_markdown() -> str:
    rows = [("Setting", "Default", "Unit", "What it is"), ("---",) * 4]
    for row in table():
        default = f"`{row['default']}`" if row["default"] else ""
        rows.append((f"`{row['name']}`", default, row["unit"], row["help"]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


@main.command("doctor")
def examine() -> None:
    """Look whether this host has what the desk needs."""
    services = bootstrap.build(Settings.load())
    findings = doctor.examine(services)
    services.close()
    for finding in findings:
        mark = click.style("ok  ", fg="green") if finding.good else click.style("FAIL", fg="red")
        click.echo(f"{mark}  {finding.subject}: {finding.words}")
    if not all(finding.good for finding in findings):
        sys.exit(1)
