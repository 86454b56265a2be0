"""What the catalogue tells of a workflow."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from services.models.base import Model

WorkflowName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="Name of a workflow in the catalogue",
        examples=["sequence-search"],
    ),
]


class Example(Model):
    """A set of parameters that is known to work; file parameters name files of the workflow."""

    title: str = ""
    params: dict[str, Any]


class Highlight(Model):
    """A result shown first. `path` is a glob relative to the run directory."""

    path: str
    title: str = ""


class Need(Model):
    """Something a workflow expects of the host."""

    name: str
    kind: str = Field(description="program, or Python package")
    met: bool = Field(description="Whether this host has it")


class Workflow(Model):
    """A workflow of the catalogue, as it is on disk now."""

    name: str
    title: str
    summary: str = ""
    category: str = "Other"
    version: str = ""
    digest: str = Field(description="sha256 over the files of the workflow")
    takes: str = Field("", description="What goes in, in short")
    gives: str = Field("", description="What comes out, in short")
    available: bool = Field(description="False when it is broken or this host lacks what it needs")
    problems: list[str] = Field([], description="Why it is not available, in words")
    needs: list[Need] = Field([], description="What it expects of the host")
    params_schema: dict[str, Any] = Field({}, description="JSON Schema of the parameters")
    readme: str = Field("", description="Markdown")
    example: Example | None = None
    highlights: list[Highlight] = []


class AddedWorkflow(Model):
    """A workflow that an administrator added to this desk."""

    name: str
    source: str = Field(description="Folder or repository it was copied from")
    ref: str = Field(description="Branch, tag or commit that was asked for; empty: the default")
    commit: str = Field(description="Commit it is of; empty: it came from a folder")
    added: datetime
    workflow: Workflow
