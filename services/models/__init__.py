"""The data models that services, portal and API share; all values are frozen.

States are those of GA4GH WES 1.1, verbatim. Times are aware datetimes in UTC.
"""

from services.models.access import Actor, NewSession, NewToken, Scope, Token, TokenId, TokenRequest
from services.models.base import Model, Page
from services.models.drafts import Draft, DraftRequest
from services.models.files import (
    DatabaseIndex,
    File,
    FileId,
    Import,
    ImportId,
    ImportRequest,
    InboxFile,
    SearchDatabase,
    Upload,
    UploadId,
)
from services.models.jobs import Graph, Job, JobFilter, JobId, Result, Step
from services.models.runs import (
    Attempt,
    Cause,
    CauseKind,
    Change,
    Progress,
    Run,
    RunFilter,
    Waiting,
)
from services.models.states import FINAL, LIVE, TRANSITIONS, State, sources
from services.models.submissions import (
    Input,
    PlannedRule,
    Preview,
    RunChanges,
    RunId,
    RunRequest,
    Submission,
    Validated,
)
from services.models.system import Limits, Line, Statistics, WorkflowStatistics
from services.models.workflows import (
    AddedWorkflow,
    Example,
    Highlight,
    Need,
    Workflow,
    WorkflowName,
)

__all__ = [
    "FINAL",
    "LIVE",
    "TRANSITIONS",
    "Actor",
    "AddedWorkflow",
    "Attempt",
    "Cause",
    "CauseKind",
    "Change",
    "DatabaseIndex",
    "Draft",
    "DraftRequest",
    "Example",
    "File",
    "FileId",
    "Graph",
    "Highlight",
    "Import",
    "ImportId",
    "ImportRequest",
    "InboxFile",
    "Input",
    "Job",
    "JobFilter",
    "JobId",
    "Limits",
    "Line",
    "Model",
    "Need",
    "NewSession",
    "NewToken",
    "Page",
    "PlannedRule",
    "Preview",
    "Progress",
    "Result",
    "Run",
    "RunChanges",
    "RunFilter",
    "RunId",
    "RunRequest",
    "Scope",
    "SearchDatabase",
    "State",
    "Statistics",
    "Step",
    "Submission",
    "Token",
    "TokenId",
    "TokenRequest",
    "Upload",
    "UploadId",
    "Validated",
    "Waiting",
    "Workflow",
    "WorkflowName",
    "WorkflowStatistics",
    "sources",
]
