"""Messages for malformed values in requests: ids in paths, and patterns of fields."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from services.errors import Message, Text
from services.files.uploads import ALGORITHMS
from services.params import model_errors

RUN_ID = Message("not_found", "Run not found.", hint="A run id has 24 hexadecimal characters.")
FILE_ID = Message("not_found", "File not found.", hint="A file id has 24 hexadecimal characters.")
IMPORT_ID = Message(
    "not_found", "Import not found.", hint="An import id has 24 hexadecimal characters."
)
TOKEN_ID = Message(
    "not_found", "Token not found.", hint="A token id has 24 hexadecimal characters."
)
UPLOAD_ID = Message(
    "not_found", "Upload not found.", hint="An upload id has 32 hexadecimal characters."
)
JOB_ID = Message(
    "not_found", "Job not found.", hint="A job id is an attempt and a job number, such as 1-7."
)
TASK_ID = Message(
    "not_found", "Task not found.", hint="A task id is an attempt and a job number, such as 1-7."
)
WORKFLOW_NAME = Message(
    "not_found",
    "Workflow not found.",
    hint="A workflow name has 1 to 64 characters: lowercase letters, digits, dots, underscores and"
    " hyphens. It starts with a letter or digit.",
)
RESULT_PATH = Message(
    "not_found", "Result not found.", hint="A result path has 1 to 1000 characters."
)

#: Parameter of a path → message for a malformed value.
NOT_FOUND = {
    "run_id": RUN_ID,
    "file_id": FILE_ID,
    "import_id": IMPORT_ID,
    "token_id": TOKEN_ID,
    "upload_id": UPLOAD_ID,
    "job_id": JOB_ID,
    "task_id": TASK_ID,
    "name": WORKFLOW_NAME,
    "workflow": WORKFLOW_NAME,
    "path": RESULT_PATH,
}

ID_24 = Message("wrong_format", "Must have 24 hexadecimal characters.")
ID_32 = Message("wrong_format", "Must have 32 hexadecimal characters.")
JOB_ID_FORMAT = Message("wrong_format", "Must be an attempt and a job number, such as 1-7.")
WORKFLOW_NAME_FORMAT = Message(
    "wrong_format",
    "Must have 1 to 64 characters: lowercase letters, digits, dots, underscores and hyphens.",
    hint="The first character must be a letter or digit.",
)
NO_CONTROL_CHARACTERS = Message("invalid_characters", "Must not contain control characters.")
LINK_PATH = Message(
    "wrong_format",
    "Must be a percent-encoded path below /api/v1/runs/ or /api/v1/files/.",
    hint="Example: {example}.",
)
VISIBLE_ASCII = Message(
    "wrong_format", "Must have 1 to 200 visible ASCII characters without spaces."
)
EVENT_ID = Message("wrong_format", "Must be the id of an event that this server sent.")
UPLOAD_METADATA = Message(
    "wrong_format", "Must have at most 4000 visible ASCII characters and spaces."
)
CHECKSUM = Message(
    "wrong_format",
    "Must be an algorithm, a space and a digest in Base64.",
    hint="Supported algorithms: {algorithms}.",
)

CHECKSUM_PATTERN = rf"^({'|'.join(ALGORITHMS)}) [A-Za-z0-9+/]{{1,100}}={{0,2}}$"

#: Pattern of a field → message for a value that does not match it. A test checks that every pattern
#: of the API document is here.
FORMATS: dict[str, Text] = {
    r"^[0-9a-f]{24}$": ID_24(),
    r"^[0-9a-f]{32}$": ID_32(),
    r"^[0-9]{1,6}-[0-9]{1,9}$": JOB_ID_FORMAT(),
    r"^[a-z0-9][a-z0-9._-]{0,63}$": WORKFLOW_NAME_FORMAT(),
    r"^[^\x00-\x1f\x7f]+$": NO_CONTROL_CHARACTERS(),
    r"^[!-~]{1,200}$": VISIBLE_ASCII(),
    r"^[0-9a-f.]{0,64}$": EVENT_ID(),
    r"^/api/v1/(runs|files)/[!-~]{1,2000}$": LINK_PATH(
        example="/api/v1/runs/65f0c0ffee0123456789abcd/report"
    ),
    r"^[!-~ ]{0,4000}$": UPLOAD_METADATA(),
    CHECKSUM_PATTERN: CHECKSUM(algorithms=", ".join(ALGORITHMS)),
}


def text_of(error: ErrorDetails) -> Text:
    """Return the message for one of pydantic's errors."""
    return model_errors.text_of(error, FORMATS)
