"""What is asked for, and what a run was accepted as."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from services.models.base import Model
from services.models.workflows import WorkflowName

MAX_RETRIES = 5
MIN_PRIORITY, MAX_PRIORITY = -10, 10

RunId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{24}$",
        description="Identifier of a run",
        examples=["65f0c0ffee0123456789abcd"],
    ),
]


class RunRequest(Model):
    """A submission. `params` or `example: true`, not both."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    workflow: WorkflowName
    params: dict[str, Any] | None = Field(
        None,
        description="Parameters as the workflow's schema says; file parameters are file ids, "
        "sample sheets file ids or lists of rows",
    )
    example: bool = Field(False, description="Run the workflow's own example")
    name: str = Field("", max_length=200, description="What the run is for")
    tags: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field([], max_length=20)
    priority: int = Field(
        0,
        ge=MIN_PRIORITY,
        le=MAX_PRIORITY,
        description="Higher is served first; above 0 only for an administrator",
    )
    retries: int = Field(
        0,
        ge=0,
        le=MAX_RETRIES,
        description="How often to start it again when a job of the workflow failed",
    )


class Validated(Model):
    """A submission as it would be accepted; nothing of it was stored."""

    workflow: str
    workflow_version: str
    digest: str = Field(description="Version of the workflow's files")
    params: dict[str, Any] = Field(description="Parameters with defaults filled in")


class PlannedRule(Model):
    """A rule and how many jobs of it there would be."""

    rule: str
    jobs: int


class Preview(Model):
    """What a run would do, as Snakemake plans it now."""

    workflow: str
    digest: str = Field(description="Version of the workflow's files")
    rules: list[PlannedRule] = []
    total: int = Field(0, description="Jobs in all; a checkpoint may add further ones later")
    links: list[tuple[str, str]] = Field([], description="From rule, to rule")
    problems: list[str] = Field([], description="Why there is no plan, in words")


class RunChanges(Model):
    """What may be changed of a run at any time; what is left out stays."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str | None = Field(
        None, max_length=200, description="What the run is for; empty: the workflow's title"
    )
    tags: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = Field(
        None, max_length=20
    )


class Input(Model):
    """A file as a run was given it, frozen at submission."""

    field: str = Field(description="Parameter that holds it")
    file: str = Field(description="File id")
    name: str
    path: str = Field(description="Where it is staged, relative to the run directory")
    size: int
    sha256: str


class Submission(Model):
    """What a run was accepted as; frozen from then on."""

    name: str
    workflow: str
    workflow_title: str
    workflow_version: str
    digest: str = Field(description="Version of the workflow's files it was submitted with")
    owner: str
    tags: list[str]
    params: dict[str, Any]
    inputs: list[Input]
    cores: int = Field(description="Cores it may use at once")
    priority: int = Field(0, description="Higher is served first")
    retries: int = Field(0, description="How often it is started again when a job of it failed")
    sheets: dict[str, str] = Field(
        {}, description="Sample sheets: parameter, and where its table is written in the run"
    )
