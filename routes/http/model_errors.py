"""Messages for the errors of pydantic, by their type.

They do not change when those of pydantic do, and never contain a regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic_core import ErrorDetails

from services.errors import Message, Text
from services.files.uploads import ALGORITHMS

REQUIRED = Message("missing", "Required.")
UNKNOWN_FIELD = Message("unknown_field", "Unknown field.")
NOT_A_STRING = Message("wrong_type", "Must be a string.")
NOT_AN_INTEGER = Message("wrong_type", "Must be an integer.")
NOT_A_NUMBER = Message("wrong_type", "Must be a number.")
NOT_A_BOOLEAN = Message("wrong_type", "Must be true or false.")
NOT_A_LIST = Message("wrong_type", "Must be a list.")
NOT_AN_OBJECT = Message("wrong_type", "Must be an object.")
NOT_A_TIME = Message("wrong_type", "Must be a date and time in ISO 8601.")
WRONG_TYPE = Message("wrong_type", "The value has the wrong type.")
NOT_ALLOWED = Message("not_allowed", "Must be one of: {allowed}.")
BELOW_MINIMUM = Message("out_of_range", "Must be {minimum} or more.")
NOT_ABOVE_MINIMUM = Message("out_of_range", "Must be greater than {minimum}.")
ABOVE_MAXIMUM = Message("out_of_range", "Must be {maximum} or less.")
NOT_BELOW_MAXIMUM = Message("out_of_range", "Must be less than {maximum}.")
NOT_FINITE = Message("out_of_range", "Must be a finite number.")
NOT_64_BIT = Message("out_of_range", "Integers must fit in 64 bits.")
TOO_SHORT = Message(
    "wrong_length", "Must have at least {count} characters.", one="Must not be empty."
)
TOO_LONG = Message(
    "wrong_length",
    "Must have at most {count} characters.",
    one="Must have at most 1 character.",
)
TOO_FEW_ITEMS = Message(
    "wrong_length", "Must have at least {count} items.", one="Must have at least 1 item."
)
TOO_MANY_ITEMS = Message(
    "wrong_length", "Must have at most {count} items.", one="Must have at most 1 item."
)
WRONG_FORMAT = Message("wrong_format", "The format is invalid.")
INVALID_VALUE = Message("invalid", "The value is invalid.")

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
    r"^[!-~ ]{0,4000}$": UPLOAD_METADATA(),
    CHECKSUM_PATTERN: CHECKSUM(algorithms=", ".join(ALGORITHMS)),
}

#: Type of a pydantic error → message, where it needs no values.
TYPES: dict[str, Message] = {
    "missing": REQUIRED,
    "extra_forbidden": UNKNOWN_FIELD,
    "string_type": NOT_A_STRING,
    "string_sub_type": NOT_A_STRING,
    "string_unicode": NOT_A_STRING,
    "int_type": NOT_AN_INTEGER,
    "int_parsing": NOT_AN_INTEGER,
    "int_from_float": NOT_AN_INTEGER,
    "int_parsing_size": NOT_64_BIT,
    "float_type": NOT_A_NUMBER,
    "float_parsing": NOT_A_NUMBER,
    "finite_number": NOT_FINITE,
    "bool_type": NOT_A_BOOLEAN,
    "bool_parsing": NOT_A_BOOLEAN,
    "list_type": NOT_A_LIST,
    "tuple_type": NOT_A_LIST,
    "dict_type": NOT_AN_OBJECT,
    "mapping_type": NOT_AN_OBJECT,
    "model_type": NOT_AN_OBJECT,
    "model_attributes_type": NOT_AN_OBJECT,
    "datetime_type": NOT_A_TIME,
    "datetime_parsing": NOT_A_TIME,
    "datetime_from_date_parsing": NOT_A_TIME,
}

#: Type of a pydantic error → message, name of its value, and pydantic's name of that value.
TYPES_WITH_VALUE: dict[str, tuple[Message, str, str]] = {
    "greater_than_equal": (BELOW_MINIMUM, "minimum", "ge"),
    "greater_than": (NOT_ABOVE_MINIMUM, "minimum", "gt"),
    "less_than_equal": (ABOVE_MAXIMUM, "maximum", "le"),
    "less_than": (NOT_BELOW_MAXIMUM, "maximum", "lt"),
    "string_too_short": (TOO_SHORT, "count", "min_length"),
    "string_too_long": (TOO_LONG, "count", "max_length"),
    "too_short": (TOO_FEW_ITEMS, "count", "min_length"),
    "too_long": (TOO_MANY_ITEMS, "count", "max_length"),
}


def text_of(error: ErrorDetails) -> Text:
    """Return the message for one of pydantic's errors."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("enum", "literal_error"):
        return NOT_ALLOWED(allowed=", ".join(allowed_values(str(context.get("expected", "")))))
    if kind == "string_pattern_mismatch":
        return FORMATS.get(str(context.get("pattern", ""))) or WRONG_FORMAT()
    if kind in TYPES_WITH_VALUE:
        message, name, theirs = TYPES_WITH_VALUE[kind]
        return message(**{name: context[theirs]})
    if kind in TYPES:
        return TYPES[kind]()
    return WRONG_TYPE() if kind.endswith(("_type", "_parsing")) else INVALID_VALUE()


def allowed_values(expected: str) -> Sequence[str]:
    """Return the values in a list of pydantic's, such as "'read', 'submit' or 'admin'"."""
    return re.findall(r"'([^']*)'", expected) or re.split(", | or ", expected)
