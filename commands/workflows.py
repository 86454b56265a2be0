"""`rundesk workflows`."""

from __future__ import annotations

import click

from commands.group import main
from commands.opening import opened
from services.access.actors import local_actor
from services.errors import Invalid
from services.models import AddedWorkflow


@main.group("workflows")
def workflows_group() -> None:
    """Add workflows to this desk, list them and remove them. Workflows are programs."""


@workflows_group.command("add")
@click.argument("source")
@click.option("--name", default="", help="What it is called here; else as its folder.")
@click.option("--replace", "replacing", is_flag=True, help="Take the place of an earlier one.")
def add_workflow(source: str, name: str, replacing: bool) -> None:
    """Check a workflow and add it. SOURCE is a folder, or https://host/repository@ref.

    It must lie in Snakemake's standard layout. It is planned once with its own configuration,
    which executes its Snakefile.
    """
    with opened() as services:
        try:
            added, remarks = services.additions.add(
                local_actor(), source, name=name, replacing=replacing
            )
        except Invalid as error:
            for problem in error.problems:
                click.echo(f"{problem.message} {problem.hint}".rstrip(), err=True)
            raise
    for words in remarks:
        click.echo(f"note: {words}")
    click.echo(f"{added.name} is added: {added.workflow.title}, {describe(added)}.")


@workflows_group.command("list")
def list_workflows() -> None:
    """Show every workflow of this desk, and where those that were added came from."""
    with opened() as services:
        added = {one.name: one for one in services.additions.list(local_actor())}
        for workflow in services.workflows.list(local_actor()):
            origin = added.get(workflow.name)
            where = f"from {origin.source} {describe(origin)}" if origin else ""
            click.echo(f"{workflow.name:24}  {workflow.title}  {where}".rstrip())
            for problem in workflow.problems:
                click.echo(f"    {problem}")


@workflows_group.command("remove")
@click.argument("name")
def remove_workflow(name: str) -> None:
    """Take a workflow that was added out of the catalogue; its runs and their results stay."""
    with opened() as services:
        services.additions.remove(local_actor(), name)
    click.echo(f"{name} is removed.")


def describe(added: AddedWorkflow) -> str:
    """Which version of it: what was asked for, and the commit or the digest."""
    return f"{added.ref} {added.commit[:12] or added.workflow.digest[:12]}".strip()
