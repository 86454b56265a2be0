"""Requests for runs, and what is stored of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from services.models.base import Model
from services.models.files import FileId
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
    """A request to run a workflow.

    One of `params`, `config_file` and `example: true` is required.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    workflow: WorkflowName
    params: dict[str, Any] | None = Field(
        None,
        description="Parameters by the workflow's schema; the value of a file is a file id, "
        "that of a sample sheet a file id or a list of rows",
    )
    config_file: FileId | None = Field(
        None,
        description="Id of a registered YAML or JSON file with parameters; those in `params` take "
        "precedence",
    )
    complete: bool = Field(
        False,
        description="Whether the parameters are the whole configuration: no defaults are filled "
        "in, and keys that the schema lacks are accepted",
    )
    replacements: dict[str, FileId] = Field(
        {},
        description="Files of the workflow's config folder to replace for this run: path to id of "
        "a registered file, for instance config/scenario.yaml",
    )
    example: bool = Field(False, description="Run the example of the workflow")
    name: str = Field(
        "", max_length=200, description="Name of the run; empty: the title of the workflow"
    )
    tags: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field([], max_length=20)
    priority: int = Field(
        0,
        ge=MIN_PRIORITY,
        le=MAX_PRIORITY,
        description="Higher priorities start first; above 0 is reserved for administrators",
    )
    retries: int = Field(
        0,
        ge=0,
        le=MAX_RETRIES,
        description="Number of times to start the run again after a job of it failed",
    )


class Validated(Model):
    """A request as it would be accepted. Nothing is stored."""

    workflow: str
    workflow_version: str
    digest: str = Field(description="Digest of the workflow's files")
    params: dict[str, Any] = Field(description="Parameters with defaults filled in")


class PlannedRule(Model):
    """A rule and the number of its jobs."""

    rule: str
    jobs: int


class Preview(Model):
    """The rules and jobs that Snakemake plans for a request."""

    workflow: str
    digest: str = Field(description="Digest of the workflow's files")
    rules: list[PlannedRule] = []
    total: int = Field(0, description="Number of all jobs; checkpoints may add more during the run")
    links: list[tuple[str, str]] = Field(
        [], description="Pairs of a rule and a rule that depends on it"
    )
    problems: list[str] = Field([], description="Why there is no plan, in sentences")


class RunChanges(Model):
    """Changes to a run. Fields that are not sent stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str | None = Field(
        None, max_length=200, description="New name of the run; empty: the title of the workflow"
    )
    tags: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = Field(
        None, max_length=20
    )


class Input(Model):
    """An input file of a run, fixed at submission."""

    field: str = Field(description="Path of the value in the parameters, for instance reads.0")
    file: str = Field(description="Id of the file")
    name: str
    path: str = Field(description="Path of the staged file, relative to the run directory")
    size: int
    sha256: str


class Submission(Model):
    """A request as it was accepted; it does not change afterwards."""

    name: str
    workflow: str
    workflow_title: str
    workflow_version: str
    digest: str = Field(description="Digest of the workflow's files at submission")
    owner: str
    tags: list[str]
    params: dict[str, Any]
    inputs: list[Input]
    cores: int = Field(description="Maximum number of cores in use at a time")
    priority: int = Field(0, description="Higher priorities start first")
    retries: int = Field(
        0, description="Number of times it is started again after a job of it failed"
    )
    sheets: dict[str, str] = Field(
        {}, description="Paths of the tables of sample sheets in the run directory, by parameter"
    )
    replacements: dict[str, str] = Field(
        {}, description="Files of the workflow that the run replaces: path to id of the file"
    )
    complete: bool = Field(
        False, description="Whether the request had the whole configuration as parameters"
    )
    base: str = Field("", description="Folder of the workflow whose test data the run uses")
    whole: bool = Field(
        False, description="Whether `params` has every value of the workflow's configuration"
    )
    folders: list[str] = Field(
        [], description="Parameters whose files are in one folder, which is the workflow's value"
    )
