"""The command itself, and what its commands share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import click
from honcho.environ import parse

from services import bootstrap
from services.errors import RundeskError
from services.settings import HERE, Settings


class Group(click.Group):
    """Commands whose own errors are one sentence and exit code 1."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except RundeskError as error:
            raise click.ClickException(error.message) from error


@click.group(cls=Group)
@click.version_option(package_name="rundesk")
def main() -> None:
    """Run and look after a Rundesk. Settings come from the environment, then from `.env`."""
    file = HERE / ".env"
    for name, value in (parse(file.read_text()) if file.exists() else {}).items():
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def opened() -> Iterator[bootstrap.Services]:
    """The services, for one command, with a database that answers."""
    services = bootstrap.build(Settings.load())
    try:
        services.database.create_indexes()
        yield services
    finally:
        services.close()
