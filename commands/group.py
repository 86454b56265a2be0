"""The group `rundesk`. It imports only the module of the command that is called."""

from __future__ import annotations

from importlib import import_module

import click

from services.errors import RundeskError

HOMES = {  # command → module of this package that adds it to the group
    "cache": "cache",
    "databases": "databases",
    "doctor": "host",
    "hosts": "hosts",
    "serve": "serving",
    "service": "service",
    "settings": "host",
    "tokens": "tokens",
    "up": "serving",
    "workflows": "workflows",
}


class Group(click.Group):
    """Commands whose expected errors are one sentence and exit code 1.

    Only the module of the called command is imported, because `rundesk serve` starts the servers
    and has to be fast.
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
            raise click.ClickException(f"{error.message} {error.hint}".rstrip()) from error


@click.group(cls=Group)
@click.version_option(package_name="rundesk")
def main() -> None:
    """Run and administer Rundesk.

    Settings come from the environment, then from the file `.env`.
    """
