"""Workflows of the catalogue."""

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
    """Parameters that are known to work. File parameters name files of the workflow."""

    title: str = ""
    params: dict[str, Any]
    base: str = Field(
        "",
        description="Folder of the workflow whose files the run finds in its working directory, "
        "over those of the workflow; empty: none",
    )


class Highlight(Model):
    """A result to show first. `path` is a glob relative to the run directory."""

    path: str
    title: str = ""


class Need(Model):
    """What a workflow requires on the host."""

    name: str
    kind: str = Field(description="program, Python package, or environment variable")
    met: bool = Field(description="Whether it is installed, or set")


class Workflow(Model):
    """A workflow of the catalogue, as it is on disk."""

    name: str
    title: str
    summary: str = ""
    category: str = "Other"
    version: str = ""
    license: str = Field("", description="SPDX identifier of the license, or an address")
    digest: str = Field(description="SHA-256 digest of the files of the workflow")
    takes: str = Field("", description="Short description of the inputs")
    gives: str = Field("", description="Short description of the results")
    available: bool = Field(
        description="False when it is invalid or requires software that is not installed"
    )
    problems: list[str] = Field([], description="Why it is not available, in sentences")
    needs: list[Need] = Field([], description="Software that it requires")
    params_schema: dict[str, Any] = Field({}, description="JSON Schema of the parameters")
    config_files: list[str] = Field(
        [],
        description="Files of its config folder, apart from the configuration, which "
        "`replacements` of a run may name",
    )
    readme: str = Field("", description="Readme in Markdown")
    example: Example | None = None
    highlights: list[Highlight] = []


class AddedWorkflow(Model):
    """A workflow that an administrator added."""

    name: str
    source: str = Field(description="Folder or repository from which it was copied")
    ref: str = Field(description="Requested branch, tag or commit; empty: the default branch")
    commit: str = Field(description="Commit that was copied; empty: it was copied from a folder")
    added: datetime
    workflow: Workflow
