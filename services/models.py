"""The shapes everyone shares: frozen values, the same in the portal and in the API.

States are those of GA4GH WES 1.1, verbatim. Times are aware datetimes in UTC.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")


class Model(BaseModel):
    """A frozen value."""

    model_config = ConfigDict(frozen=True)


class State(StrEnum):
    """Where a run (or a job) is; the words of GA4GH WES 1.1."""

    QUEUED = "QUEUED"  # accepted; waits for a place
    INITIALIZING = "INITIALIZING"  # claimed; inputs are staged, Snakemake starts
    RUNNING = "RUNNING"  # Snakemake is at work
    CANCELING = "CANCELING"  # asked to stop; processes are being ended
    COMPLETE = "COMPLETE"  # finished, results published
    EXECUTOR_ERROR = "EXECUTOR_ERROR"  # the workflow failed
    SYSTEM_ERROR = "SYSTEM_ERROR"  # the desk or its host failed
    CANCELED = "CANCELED"  # stopped on request

    @property
    def final(self) -> bool:
        return self in FINAL


FINAL = frozenset({State.COMPLETE, State.EXECUTOR_ERROR, State.SYSTEM_ERROR, State.CANCELED})
LIVE = frozenset({State.INITIALIZING, State.RUNNING, State.CANCELING})  # somebody holds a lease

#: The allowed transitions of a run. Back to QUEUED is a retry or a resume.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.INITIALIZING, State.CANCELED}),
    State.INITIALIZING: FINAL | {State.RUNNING, State.CANCELING, State.QUEUED},
    State.RUNNING: FINAL | {State.CANCELING, State.QUEUED},
    State.CANCELING: FINAL,
    State.COMPLETE: frozenset(),
    State.EXECUTOR_ERROR: frozenset({State.QUEUED}),
    State.SYSTEM_ERROR: frozenset({State.QUEUED}),
    State.CANCELED: frozenset({State.QUEUED}),
}


def sources(target: State) -> list[State]:
    """The states from which `target` may be reached, in the order of the enum."""
    return [state for state in State if target in TRANSITIONS[state]]


class Scope(StrEnum):
    """What a token allows; each allows what those before it do."""

    READ = "read"  # to look at what is its user's
    SUBMIT = "submit"  # to upload, submit and change it too
    ADMIN = "admin"  # everything, as an administrator


class Actor(Model):
    """Who asks. Every service call takes one."""

    id: str
    admin: bool = False
    token: Scope | None = Field(
        None, description="What the token allows that was sent; null: the user in person"
    )
    token_id: str | None = Field(None, description="Which token that was")


RunId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{24}$",
        description="Identifier of a run",
        examples=["65f0c0ffee0123456789abcd"],
    ),
]
FileId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{24}$",
        description="Identifier of a file",
        examples=["65f0c0ffee0123456789abce"],
    ),
]
JobId = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,6}-[0-9]{1,9}$",
        description="Attempt and Snakemake's job number",
        examples=["1-7"],
    ),
]
WorkflowName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="Name of a workflow in the catalogue",
        examples=["sequence-search"],
    ),
]


class Page(Model, Generic[T]):
    """One page of a list, newest first. `next` is the token of the page after it, if any."""

    items: list[T]
    next: str | None = None


# ---- access ----------------------------------------------------------------------------------


TokenId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{24}$",
        description="Identifier of a token; not the secret",
        examples=["65f0c0ffee0123456789abd0"],
    ),
]


def _whole(value: Any) -> Any:
    """JSON knows no difference between 90 and 90.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class TokenRequest(Model):
    """A token to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, description="What it is for")
    scope: Scope = Field(Scope.READ, description="What it allows")
    days: Annotated[int, BeforeValidator(_whole)] = Field(
        90, ge=1, le=3650, strict=True, description="How long it counts"
    )
    owner: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="For whom; for others than oneself only by an administrator",
    )


class Token(Model):
    """A token, as it is kept: without the secret."""

    id: TokenId
    name: str
    owner: str
    scope: Scope
    created: datetime
    expires: datetime
    used: datetime | None = Field(description="About when it was last used")


class NewToken(Token):
    """A token that was just made."""

    secret: str = Field(description="What to send; it is shown only now")


class NewSession(Model):
    """A browser was just signed in to the portal."""

    secret: str = Field(description="What its cookie holds")
    expires: datetime


# ---- files -----------------------------------------------------------------------------------


class File(Model):
    """A registered file. The name is for people and never used as a path."""

    id: FileId
    name: str
    size: int = Field(description="bytes")
    sha256: str
    kind: str = Field(description="What its name says it is: fasta, fastq, table, … or other")
    owner: str
    created: datetime


UploadId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{32}$",
        description="Identifier of an upload",
        examples=["0c1d2e3f405162738495a6b7c8d9eafb"],
    ),
]


class Upload(Model):
    """A file on its way: it may arrive in pieces, and be resumed where it was cut."""

    id: UploadId
    name: str
    size: int = Field(description="bytes of the whole file")
    offset: int = Field(description="bytes that have arrived")
    metadata: str = Field(description="Upload-Metadata as it was sent")
    owner: str
    created: datetime
    expires: datetime = Field(description="When it is forgotten, unless more of it arrives")
    file: FileId | None = Field(description="The registered file, once all has arrived")


ImportId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{24}$",
        description="Identifier of an import",
        examples=["65f0c0ffee0123456789abd1"],
    ),
]


class ImportRequest(Model):
    """A file that the desk is to fetch itself: `url` or `inbox`, not both."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: str | None = Field(
        None, min_length=1, max_length=4000, description="Address at a host that is allowed here"
    )
    inbox: str | None = Field(
        None, min_length=1, max_length=4000, description="Path of a file in the inbox"
    )
    name: str = Field("", max_length=255, description="What to call it; empty: as it is called")


class Import(Model):
    """A file that the desk fetches itself, and how far that is."""

    id: ImportId
    owner: str
    url: str | None = Field(description="Where from; null: from the inbox")
    inbox: str | None = Field(description="Path in the inbox; null: from an address")
    name: str
    state: State = Field(
        description="QUEUED, RUNNING, COMPLETE, EXECUTOR_ERROR (what was asked for cannot be had)"
        " or SYSTEM_ERROR (the desk failed)"
    )
    size: int | None = Field(description="bytes of the whole file, once known")
    received: int = Field(description="bytes read so far")
    attempts: int
    created: datetime
    started: datetime | None
    ended: datetime | None
    error: str | None = Field(description="Why it came to nothing, in one sentence")
    hint: str = Field("", description="What to do about it")
    file: FileId | None = Field(description="The registered file, once it is there")


class InboxFile(Model):
    """A file on the server that may be registered where it lies."""

    path: str = Field(description="Relative to the inbox, with / between folders")
    size: int = Field(description="bytes")
    modified: datetime


class DatabaseIndex(Model):
    """What was built of a database, kept for all searches."""

    key: str = Field(description="Names it in the cache")
    part: str = Field(description="sequences, or a table of their k-mers, which large ones get")
    type: str = Field(description="What it was read as: protein or nucleotide")
    sequences: int
    letters: int
    release: str = Field(description="Of MMseqs2")
    size: int = Field(description="bytes")
    built: datetime


class SearchDatabase(Model):
    """Something to search in by name."""

    name: str
    published: bool = Field(description="True: for everybody; false: a file of your own")
    file: str = Field(description="Name of the file")
    size: int = Field(description="bytes of the file")
    sha256: str
    created: datetime = Field(description="When it was published, or uploaded")
    indexes: list[DatabaseIndex] = Field(description="Newest first; empty: nobody searched yet")


# ---- workflows -------------------------------------------------------------------------------


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


# ---- runs ------------------------------------------------------------------------------------


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
        0, ge=-10, le=10, description="Higher is served first; above 0 only for an administrator"
    )
    retries: int = Field(
        0, ge=0, le=5, description="How often to start it again when a job of the workflow failed"
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


class Progress(Model):
    """Counters of the present attempt."""

    total: int = 0
    done: int = 0
    failed: int = 0


class CauseKind(StrEnum):
    """Why a run did not complete."""

    RULE_FAILED = "RULE_FAILED"  # a job of the workflow failed
    MISSING_OUTPUT = "MISSING_OUTPUT"  # a job ended well without making what it promised
    WORKFLOW_INVALID = (
        "WORKFLOW_INVALID"  # Snakemake could not read it, or found no way to the target
    )
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DISK_FULL = "DISK_FULL"
    WALLTIME = "WALLTIME"
    KILLED = "KILLED"  # ended by a signal that was not ours
    HOST_LOST = "HOST_LOST"  # the processes vanished
    STAGING_FAILED = "STAGING_FAILED"  # the desk could not prepare the run
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"


class Cause(Model):
    """Why an attempt ended as it did, in words."""

    kind: CauseKind
    message: str = Field(description="One sentence")
    rule: str | None = None
    job: str | None = Field(None, description="Id of the job that failed first")
    log: str = Field("", description="Last lines of the log of that job, or of Snakemake")
    hint: str = Field("", description="What to do next")


class Attempt(Model):
    """One execution of a run."""

    number: int
    host: str
    started: datetime
    ended: datetime | None = None
    state: State | None = Field(
        None, description="How it ended: EXECUTOR_ERROR by the workflow, SYSTEM_ERROR by the desk"
    )
    exit_code: int | None = Field(None, description="Negative: the signal that ended Snakemake")
    cause: Cause | None = None
    failures: int | None = Field(
        None,
        description="Attempts that failed so since it was submitted or resumed",
    )
    limit: int | None = Field(None, description="At how many of these the run is given up")


class Change(Model):
    """One line of a run's history."""

    state: State
    at: datetime
    note: str = ""


class Waiting(Model):
    """Where a run stands in the queue."""

    position: int = Field(description="1 is next")
    seconds: float | None = Field(
        description="Until it starts, judged by earlier runs; null when there were none"
    )
    reason: str = Field("", description="What keeps it from starting; empty: only its turn")


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


class Run(Submission):
    """A run and all that is known of it."""

    id: RunId
    state: State
    queue: Waiting | None = Field(None, description="Its place while it is QUEUED")
    unreachable: datetime | None = Field(
        None, description="Since when its host gives no sign of life; null: it does"
    )
    progress: Progress
    created: datetime
    started: datetime | None
    ended: datetime | None
    error: str | None = Field(description="Why it did not complete, in one sentence")
    cause: Cause | None
    attempts: list[Attempt]
    history: list[Change]


class Line(Model):
    """The queue as a whole: everybody's runs, without saying whose."""

    waiting: int = Field(description="Runs that wait; 1000 at most")
    working: int = Field(description="Runs at work")
    places: int = Field(description="Runs at once")
    cores: int = Field(description="Cores that all runs share")
    taken: int = Field(description="Cores that the runs at work have")
    reason: str = Field(description="What keeps every run from starting; empty: nothing")


class Limits(Model):
    """What this desk takes at most; null: no limit."""

    upload_bytes: int = Field(description="Of a file")
    body_bytes: int = Field(description="Of a JSON body")
    runs: int = Field(description="Runs at once")
    runs_per_owner: int | None = Field(description="Runs at once of one owner")
    cores_per_run: int
    seconds_per_attempt: float | None
    log_bytes: int = Field(description="Of the log of an attempt; more is cut in the middle")
    retries: int = Field(description="Of a run whose jobs fail")
    page: int = Field(description="Entries of a page")
    import_hosts: list[str] = Field(description="Hosts that files are fetched from")
    inbox: bool = Field(description="Whether files of the server may be registered")
    submissions_per_minute: int | None
    uploads_per_minute: int | None


class WorkflowStatistics(Model):
    """The runs of a workflow."""

    workflow: str
    runs: dict[State, int] = Field(description="How many are in each state")
    seconds: float | None = Field(description="Median time of the last completed ones")


class Statistics(Model):
    """What has been run, as far as the asker may see it."""

    runs: dict[State, int] = Field(description="How many runs are in each state")
    workflows: list[WorkflowStatistics] = Field(description="Those that were run, by name")


class RunFilter(Model):
    """Which runs to list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: list[RunId] = Field(
        [], max_length=200, description="These runs; others and unknown ones are left out"
    )
    state: list[State] = Field([], description="Any of these states")
    workflow: str | None = Field(None, max_length=64, description="Name of the workflow")
    owner: str | None = Field(None, max_length=200, description="Who submitted it")
    file: FileId | None = Field(None, description="A file that is among its inputs")
    text: str | None = Field(None, max_length=200, description="Part of name, tag, workflow or id")
    after: str | None = Field(None, max_length=200, description="Token of the page before")
    limit: int = Field(50, ge=1, le=200, description="How many at most")


class Job(Model):
    """One job of Snakemake, as it reported it."""

    id: JobId
    rule: str
    state: State
    wildcards: dict[str, str]
    started: datetime | None
    ended: datetime | None
    threads: int = 1
    input: list[str] = []
    output: list[str] = []
    log: list[str] = []
    resources: dict[str, Any] = {}
    reason: str = ""
    command: str = ""
    tries: int = Field(1, description="How often Snakemake started it")


class JobFilter(Model):
    """Which jobs of a run to show."""

    state: list[State] = Field([], description="Any of these states")
    rule: str | None = Field(None, description="Name of the rule")
    skip: int = Field(0, ge=0, description="How many to pass over, in order of start")
    limit: int = Field(200, ge=1, le=1000, description="How many at most")


class Step(Model):
    """A rule of a run with its counters."""

    rule: str
    state: State | None = Field(description="null: the run is over, and no job of it ever started")
    total: int
    done: int
    failed: int
    running: int
    mean_seconds: float | None = Field(description="Mean time of its finished jobs")


class Graph(Model):
    """The rules of a run and what waits for what."""

    steps: list[Step]
    links: list[tuple[str, str]] = Field(description="From rule, to rule")


class Result(Model):
    """A published result."""

    path: str = Field(description="Relative to the run directory, with / between folders")
    size: int = Field(description="bytes")
    sha256: str
    kind: str = Field(description="report, table, image, text, … or other")
    title: str = Field("", description="Set for the results the workflow highlights")
    rule: str | None = Field(None, description="Rule that made it; null: no job said so")
    job: str | None = Field(None, description="Id of the job that made it")
