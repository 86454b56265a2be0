"""What can go wrong, and what people read about it.

Services raise the exceptions of this module and nothing else on purpose. `routes/http/errors.py`
turns them into HTTP in one place, `ui/errors.py` into sentences on the page.

Every sentence is a `Message`: a template with named values, defined where its error is raised. A
message has a stable code, so programs never parse sentences and sentences can be translated without
touching the code that raises them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

#: Code → what it means. A code never changes its meaning; new ones are added. Every message has one
#: of these, and each is used: `tests/unit/project/test_messages.py`.
PROBLEM_CODES = {
    # any field of a request, a form or a sample sheet
    "missing": "A required value is missing.",
    "unknown_field": "A field, parameter or column is not known.",
    "duplicate_field": "A field is given more than once.",
    "conflicting_fields": "Two fields exclude each other.",
    "wrong_type": "The value has the wrong type.",
    "not_allowed": "The value is not one of the allowed values.",
    "out_of_range": "A number is outside its limits.",
    "wrong_length": "A text or list is too short or too long.",
    "wrong_format": "A text does not have the required format.",
    "not_unique": "A value that must be unique occurs more than once.",
    "invalid_characters": "A text contains characters that are not allowed.",
    "too_deep": "The value is nested too deeply.",
    "invalid": "The value breaks another rule of its schema.",
    "not_received": "The page shows another value than the server received.",
    "invalid_request": "The request has problems; each is listed.",
    "invalid_parameters": "The parameters of a run have problems; each is listed.",
    # bodies
    "not_json": "The body is not valid JSON.",
    "body_missing": "The request has no body.",
    "body_incomplete": "The body ended before it was complete.",
    "body_too_large": "The body is larger than allowed.",
    "wrong_content_type": "The body has a content type that is not accepted.",
    # identity and access
    "sign_in_required": "Authentication is required.",
    "invalid_token": "The token does not exist, was revoked or has expired.",
    "invalid_link": "The signed link is invalid or has expired.",
    "forbidden": "The user may not do this.",
    "foreign_host": "The Host header does not name this server.",
    "foreign_origin": "The request comes from a page of another site.",
    "too_many_requests": "The rate limit was exceeded.",
    # resources
    "not_found": "The resource does not exist or belongs to another user.",
    "gone": "The content of a known resource was removed from storage.",
    "already_exists": "A resource with this name already exists.",
    "in_use": "The resource is in use by another one.",
    "limit_reached": "A limit on the number of resources is reached.",
    "wrong_state": "The resource is in a state that does not allow this.",
    "locked": "Another request is using the resource.",
    "busy": "The server is busy with similar requests.",
    # files
    "wrong_kind_of_file": "The content or name of a file does not match what is required.",
    "unreadable_file": "The content of a file cannot be read.",
    "file_changed": "A file changed while it was read.",
    "file_too_large": "A file is larger than allowed.",
    "wrong_offset": "An upload does not continue at the end of the bytes received.",
    "wrong_checksum": "The received bytes do not match their checksum.",
    "host_not_allowed": "Files may not be imported from this host.",
    "download_failed": "A file could not be downloaded.",
    # workflows
    "invalid_workflow": "The workflow cannot be used as it is.",
    "unmet_requirement": "Software that the workflow needs is not installed.",
    "workflow_remark": "The workflow can be used, but has a limitation or a style problem.",
    # runs
    "executor_error": "The workflow failed.",
    "system_error": "Rundesk or its host failed.",
    "canceled": "The run was canceled on request.",
    # the installation
    "misconfigured": "A setting is invalid.",
    "database_unavailable": "The database does not respond.",
    "disk_full": "The disk is full.",
    "internal": "An unexpected error occurred.",
    "ok": "No problem: a check passed, or a problem has ended.",
}


@dataclass(frozen=True)
class Message:
    """A sentence for people: one template, its plural and its hint, with named values.

    `template` and `hint` are filled in by `str.format`. Where `one` is given it replaces `template`
    when the value `count` is 1. Raises ValueError for a code that PROBLEM_CODES does not have.
    """

    code: str
    template: str  # one whole sentence
    hint: str = ""  # what to do next, where it is not obvious; one or more whole sentences
    one: str = ""  # the sentence for `count` = 1, where it differs

    def __post_init__(self) -> None:
        if self.code not in PROBLEM_CODES:
            raise ValueError(f"{self.code!r} is not in PROBLEM_CODES")

    def __call__(self, **args: Any) -> Text:
        """The sentence with these values."""
        return Text(self, args)


@dataclass(frozen=True)
class Text:
    """A message with its values. `str()` gives the sentence in English."""

    message: Message
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        return self.message.code

    @property
    def hint(self) -> str:
        return self.message.hint.format(**self.values)

    @property
    def args(self) -> dict[str, Any]:
        """The values as JSON: numbers and booleans as they are, everything else as text."""
        return {name: _as_json(value) for name, value in self.values.items()}

    def __str__(self) -> str:
        single = self.message.one and self.values.get("count") == 1
        return (self.message.one if single else self.message.template).format(**self.values)


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_as_json(one) for one in value]
    return str(value)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a request: where it is, and what it is."""

    field: str  # path of the field, for instance "params.evalue"; "" for the request as a whole
    text: Text

    @property
    def message(self) -> str:
        return str(self.text)

    @property
    def hint(self) -> str:
        return self.text.hint

    @property
    def code(self) -> str:
        return self.text.code

    def at(self, field: str) -> Problem:
        """The same problem at another field."""
        return replace(self, field=field)

    def as_dict(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "args": self.text.args,
        }


class RundeskError(Exception):
    """An error that is expected and shown to people. Each class has a default message."""

    default: ClassVar[Message] = Message("internal", "Something went wrong.")

    def __init__(self, text: Text | None = None, *, field: str = "") -> None:
        self.text = text or self.default()
        self.field = field
        super().__init__(str(self.text))

    @property
    def message(self) -> str:
        return str(self.text)

    @property
    def hint(self) -> str:
        return self.text.hint

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (Problem(self.field, self.text),) if self.field else ()


class Invalid(RundeskError):
    """The request, or a part of it, is invalid."""

    default = Message("invalid_request", "Invalid request.")

    def __init__(
        self, text: Text | None = None, *, field: str = "", problems: Sequence[Problem] = ()
    ) -> None:
        super().__init__(text, field=field)
        self._problems = tuple(problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems or super().problems


class NotFound(RundeskError):
    """The resource does not exist, or it belongs to another user."""

    default = Message("not_found", "Not found.")


class Conflict(RundeskError):
    """The present state does not allow this."""

    default = Message("wrong_state", "The present state does not allow this.")


class Forbidden(RundeskError):
    """The user may not do this."""

    default = Message("forbidden", "You do not have permission to do this.")


class NotSignedIn(RundeskError):
    """Authentication is required."""

    default = Message("sign_in_required", "Sign in first.")


class TooMany(RundeskError):
    """A rate limit was exceeded."""

    default = Message(
        "too_many_requests", "Too many requests.", hint="Try again in {seconds} seconds."
    )

    def __init__(self, text: Text | None = None, *, seconds: int) -> None:
        self.seconds = seconds  # until the request may be repeated
        super().__init__(text or self.default(seconds=seconds))


class TooLarge(RundeskError):
    """The body or file is larger than allowed."""

    default = Message("body_too_large", "The request is too large.")


class DiskFull(RundeskError):
    """The disk of the server is full."""

    default = Message(
        "disk_full", "The disk of the server is full.", hint="Contact the administrator."
    )


class DatabaseUnavailable(RundeskError):
    """The database does not respond."""

    default = Message("database_unavailable", "The database is not responding.")


class NotReady(RundeskError):
    """No run can start at the moment."""

    default = Message("system_error", "No run can start at the moment.")


class WrongOffset(Conflict):
    """An upload does not continue where it ended."""

    default = Message("wrong_offset", "The upload does not continue at this offset.")


class WrongChecksum(RundeskError):
    """The received bytes do not match their checksum."""

    default = Message("wrong_checksum", "The received data does not match its checksum.")


class Locked(RundeskError):
    """Another request is using the resource."""

    default = Message("locked", "Locked: another request is using this resource.")


class KeyReused(Conflict):
    """An idempotency key was used for another request."""


class InUse(Conflict):
    """Something cannot be deleted while something else uses it."""


class NotYet(Conflict):
    """The run has not finished; the same request may succeed later."""


class Never(Conflict):
    """The run has finished in a way that makes this impossible."""


class NoResultYet(NotFound):
    """The run has not finished; the result may exist later."""


class NoResult(NotFound):
    """The run has finished without this result."""


class TransitionRefused(Conflict):
    """The run is not in a state that allows this, or another process holds it."""

    default = Message("wrong_state", "The state of the run does not allow this.")


class Misconfigured(RundeskError):
    """A setting is invalid; the process does not start."""

    default = Message("misconfigured", "A setting is invalid.")
