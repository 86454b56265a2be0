"""The command itself: reads `.env`, and imports the module of the command that is asked for."""

from __future__ import annotations

import os
from importlib import import_module

import click
from honcho.environ import parse

from services.errors import RundeskError
from services.settings import HERE

HOMES = {  # command → module of this package that adds it to the group
    "cache": "cache",
    "databases": "databases",
    "doctor": "host",
    "serve": "serving",
    "settings": "host",
    "tokens": "tokens",
    "up": "serving",
    "workflows": "workflows",
}


class Group(click.Group):
    """Commands whose own errors are one sentence and exit code 1.

    Only what is asked for is imported: the servers start with `rundesk serve`, and need little.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if home := HOMES.get(cmd_name):
            import_module(f"commands.{home}")
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except RundeskError as error:
            raise click.ClickException(error.message) from error


@click.group(cls=Group)
@click.version_option(package_name="rundesk")
def main() -> None:
    """Run and look after a Rundesk. Settings come from the environment, then from `.env`."""
    file = HERE / ".env"
    for name, value in (parse(file.read_text()) if file.exists() else {}).items():
        os.environ.setdefault(name, value)
