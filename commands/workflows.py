"""`rundesk workflows`."""

from __future__ import annotations

import sys
from typing import TextIO

import click

from commands.group import main
from commands.opening import opened
from services.access.actors import local_actor
from services.errors import Invalid
from services.models import AddedWorkflow


@main.group("workflows")
def workflows_group() -> None:
    """Add, list and remove workflows. A workflow is a program: add only workflows you trust."""


@workflows_group.command("add")
@click.argument("source")
@click.option("--name", default="", help="Name in Rundesk; default: the name of its folder.")
@click.option(
    "--replace", "replacing", is_flag=True, help="Replace an added workflow of the same name."
)
@click.option(
    "--with",
    "overlay",
    type=click.File(encoding="utf-8"),
    help="Overlay: a file in the form of rundesk.yaml that corrects what was recognized.",
)
def add_workflow(source: str, name: str, replacing: bool, overlay: TextIO | None) -> None:
    """Check a workflow and add it.

    SOURCE is a folder, or a git repository as https://host/repository@ref, in Snakemake's standard
    layout. Snakemake plans the workflow once with its own configuration, which executes its
    Snakefile.
    """
    with opened() as services:
        try:
            added, remarks = services.additions.add(
                local_actor(),
                source,
                name=name,
                replacing=replacing,
                overlay=overlay.read() if overlay else "",
            )
        except Invalid as error:
            for problem in error.problems:
                click.echo(f"{problem.message} {problem.hint}".rstrip(), err=True)
            raise
    for remark in remarks:
        click.echo(f"Note: {remark}")
    click.echo(f"Added {added.name}: {added.workflow.title}, {describe(added)}.")


@workflows_group.command("list")
def list_workflows() -> None:
    """List all workflows, and the source of each added one."""
    with opened() as services:
        added = {one.name: one for one in services.additions.list(local_actor())}
        for workflow in services.workflows.list(local_actor()):
            origin = added.get(workflow.name)
            where = f"from {origin.source} {describe(origin)}" if origin else ""
            click.echo(f"{workflow.name:24}  {workflow.title}  {where}".rstrip())
            for problem in workflow.problems:
                click.echo(f"    {problem}")


@workflows_group.command("export")
@click.argument("name")
def export_workflow(name: str) -> None:
    """Print what is known of a workflow as a rundesk.yaml, to correct it or for its authors."""
    with opened() as services:
        click.echo(services.additions.manifest(local_actor(), name), nl=False)


@workflows_group.command("secret")
@click.argument("name")
@click.argument("variable")
@click.option("--remove", "removing", is_flag=True, help="Remove the variable.")
def set_secret(name: str, variable: str, removing: bool) -> None:
    """Set an environment variable that only the runs of one workflow have.

    The value is read from standard input, or typed without being shown. It is never printed.
    """
    value = None
    if not removing:
        value = (
            str(click.prompt(variable, hide_input=True))
            if sys.stdin.isatty()
            else sys.stdin.read().rstrip("\n")
        )
    with opened() as services:
        services.additions.set_secret(local_actor(), name, variable, value)
    click.echo(f"{'Removed' if removing else 'Set'} {variable} for {name}.")


@workflows_group.command("remove")
@click.argument("name")
def remove_workflow(name: str) -> None:
    """Remove an added workflow. Its runs and their results are kept."""
    with opened() as services:
        services.additions.remove(local_actor(), name)
    click.echo(f"Removed {name}.")


def describe(added: AddedWorkflow) -> str:
    """The version of an added workflow: its ref, and its commit or digest."""
    return f"{added.ref} {added.commit[:12] or added.workflow.digest[:12]}".strip()
