"""`rundesk settings` and `rundesk doctor`: the configuration and the state of the host."""

from __future__ import annotations

import sys

import click

from commands.group import main
from services import bootstrap, doctor
from services.settings import Settings, environment, table

SECRETS = frozenset({"MONGODB_URI", "RUNDESK_REMOTE_USER_SECRET"})


@main.command("settings")
@click.option("--markdown", is_flag=True, help="Print the table of the documentation.")
def show_settings(markdown: bool) -> None:
    """Show every setting and its value. Secrets are hidden."""
    if markdown:
        click.echo(settings_in_markdown())
        return
    Settings.load()
    given = environment()
    for row in table():
        text = given.get(row["name"], "").strip()
        value = "(hidden)" if text and row["name"] in SECRETS else text or row["default"]
        source = "" if text else "  (default)"
        click.echo(f"{row['name']}={value}{source}\n    {row['help']} {row['unit']}".rstrip())


def settings_in_markdown() -> str:
    rows = [("Setting", "Default", "Unit", "Description"), ("---",) * 4]
    for row in table():
        default = f"`{row['default']}`" if row["default"] else ""
        rows.append((f"`{row['name']}`", default, row["unit"], row["help"]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


@main.command("doctor")
def examine() -> None:
    """Check the settings, the host, the database and the workflows."""
    services = bootstrap.build(Settings.load())
    findings = doctor.examine(services)
    services.close()
    for finding in findings:
        mark = click.style("ok  ", fg="green") if finding.good else click.style("FAIL", fg="red")
        click.echo(f"{mark}  {finding.subject}: {finding.words}")
    if not all(finding.good for finding in findings):
        sys.exit(1)
