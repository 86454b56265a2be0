"""Errors as HTTP: the table from our exceptions to status and number, and the envelope."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, request
from pydantic import Field
from werkzeug.exceptions import HTTPException

from routes.http import rate_limits
from routes.http.context import request_id
from services.errors import (
    Conflict,
    DatabaseUnavailable,
    DiskFull,
    Forbidden,
    InUse,
    Invalid,
    KeyReused,
    Locked,
    Message,
    Never,
    NoResult,
    NoResultYet,
    NotFound,
    NotReady,
    NotSignedIn,
    NotYet,
    Problem,
    RundeskError,
    TooLarge,
    TooMany,
    TransitionRefused,
    WrongChecksum,
    WrongOffset,
)
from services.models import Model

log = logging.getLogger("rundesk.api")

MAX_PROBLEMS = 50  # in one response
RETRY_AFTER_S = 2  # the database usually responds again within a few seconds


NOT_JSON = Message("not_json", "The body is not valid JSON.")
BODY_INCOMPLETE = Message(
    "body_incomplete", "The body ended before it was complete.", hint="Send the request again."
)
BODY_TOO_SLOW = Message(
    "body_incomplete",
    "The body arrived too slowly.",
    hint="Send the request again. An upload by tus continues where it stopped.",
)
BODY_MISSING = Message(
    "body_missing",
    "The request has no body.",
    hint="Send the bytes of the file. An empty file needs a Content-Type header.",
)
CONTENT_TYPE = Message("wrong_content_type", "The content type of the body is not accepted.")
EXPECTED_CONTENT_TYPE = Message(
    "wrong_content_type",
    "The content type must be {expected}.",
    hint="Set the Content-Type header.",
)
FOREIGN_HOST = Message(
    "foreign_host",
    "The Host header does not name this server.",
    hint="Use the configured address. Administrators set it with RUNDESK_API_URL.",
)
FOREIGN_ORIGIN = Message(
    "foreign_origin",
    "Requests from pages of other sites are not allowed.",
    hint="Use the portal or a program. Administrators allow origins with RUNDESK_CORS_ORIGINS.",
)
STREAMS_BUSY = Message(
    "busy", "All streams of this server are in use.", hint="Poll instead, or try again later."
)


class NotJson(Invalid):
    """The body is not valid JSON."""

    default = NOT_JSON


class BodyIncomplete(Invalid):
    """The body ended before it was complete."""

    default = BODY_INCOMPLETE


class BodyTooSlow(BodyIncomplete):
    """The body did not arrive in time."""

    default = BODY_TOO_SLOW


class BodyMissing(Invalid):
    """The request has no body."""

    default = BODY_MISSING


class WrongContentType(Invalid):
    """The body has a content type that this operation does not accept."""

    default = CONTENT_TYPE


class ForeignHost(Forbidden):
    """The Host header does not name this server."""

    default = FOREIGN_HOST


class ForeignOrigin(Forbidden):
    """The request comes from a page of another site."""

    default = FOREIGN_ORIGIN


class StreamsBusy(RundeskError):
    """This process already serves as many streams as it can."""

    default = STREAMS_BUSY


@dataclass(frozen=True)
class Code:
    """An error number. It starts with the HTTP status: 40401 is a 404."""

    number: int
    meaning: str  # for the API document
    error: type[Exception] | None = None  # ours; None: an HTTP error of the framework

    @property
    def status(self) -> int:
        return self.number // 100


#: Numbers never change their meaning; new ones are added.
CODES = (
    Code(40000, "The request is malformed."),
    Code(40001, "A field, query parameter or header is invalid; see `problems`.", Invalid),
    Code(40002, "The body is not valid JSON.", NotJson),
    Code(40003, "The body is incomplete, or its parts are malformed.", BodyIncomplete),
    Code(40004, "The request has no body.", BodyMissing),
    Code(40100, "Authentication is required: a token or link is missing or invalid.", NotSignedIn),
    Code(40300, "You do not have permission to do this.", Forbidden),
    Code(40301, "The Host header does not name this server.", ForeignHost),
    Code(40302, "The request comes from a page of another site.", ForeignOrigin),
    Code(40400, "The resource does not exist, or it belongs to another user.", NotFound),
    Code(40401, "The URL does not exist."),
    Code(40402, "The run has not finished, so it has no results; try again later.", NoResultYet),
    Code(40403, "The run has finished without this result; it will not appear.", NoResult),
    Code(40500, "The method is not allowed for this URL."),
    Code(40800, "The request did not arrive in time; send it again.", BodyTooSlow),
    Code(40900, "The present state does not allow this.", Conflict),
    Code(40901, "The state of the run does not allow this.", TransitionRefused),
    Code(40902, "The upload does not continue at this offset.", WrongOffset),
    Code(40903, "The idempotency key was used for another submission.", KeyReused),
    Code(40904, "The file is in use, so it cannot be deleted.", InUse),
    Code(40905, "The run has not finished; try again later.", NotYet),
    Code(40906, "The run has finished in a way that makes this impossible.", Never),
    Code(41200, "A precondition of the request is not met."),
    Code(41300, "The body is larger than allowed.", TooLarge),
    Code(41400, "The URL is too long."),
    Code(41500, "The content type of the body is not accepted.", WrongContentType),
    Code(41600, "The range is outside the content."),
    Code(41700, "The expectation cannot be met."),
    Code(42300, "Another request is using the resource.", Locked),
    Code(42900, "The rate limit was exceeded; wait for `Retry-After` seconds.", TooMany),
    Code(43100, "The headers are too many or too long."),
    Code(46000, "The received bytes do not match their checksum.", WrongChecksum),
    Code(50000, "An unexpected error occurred; include `requestId` in a report.", Exception),
    Code(50100, "The transfer coding is not supported."),
    Code(50300, "The database does not respond; try again soon.", DatabaseUnavailable),
    Code(50301, "All streams of the server are in use; poll, or try again.", StreamsBusy),
    Code(50302, "No run can start at the moment; `problems` says why.", NotReady),
    Code(50700, "The disk of the server is full.", DiskFull),
)
BY_ERROR = {code.error: code for code in CODES if code.error}
BY_NUMBER = {code.number: code for code in CODES}
FRAMEWORK = {404: 40401}  # HTTP errors whose number is not their status and two zeros


class Trouble(Model):
    """A problem of a request: where it is, and what it is."""

    field: str = Field(
        description="Path of the field, for example `params.evalue`, `body`, `query.limit` or"
        " `path.run_id`; empty: the request as a whole",
        examples=["params.evalue"],
    )
    code: str = Field(
        description="Stable identifier of the problem; see the table of problem codes",
        examples=["out_of_range"],
    )
    message: str = Field(description="One sentence", examples=["Must be 10 or less."])
    hint: str = Field(
        description="What to do next; empty: nothing to add", examples=["E-value cut-off"]
    )
    args: dict[str, Any] = Field(
        description="Values that `message` and `hint` name", examples=[{"maximum": 10}]
    )


class Troubles(Model):
    problems: list[Trouble]


class Failure(Model):
    """The body of the response to a request that failed."""

    errCode: int = Field(description="See the table of error numbers", examples=[40001])
    data: Troubles | None = Field(description="The problems of the request, if known")
    msg: str = Field(description="One sentence", examples=["Invalid parameters."])
    requestId: str = Field(
        description="The same as X-Request-Id; include it in a report",
        examples=["6f1c9e02a4b7d358"],
    )


def code_of(error: Exception) -> Code:
    """Return the row of the table for an error: that of its nearest class."""
    return next(BY_ERROR[kind] for kind in type(error).__mro__ if kind in BY_ERROR)


def envelope(number: int, message: str, problems: Sequence[Problem] = ()) -> Response:
    """Return the response of a request that failed."""
    shown = {"problems": [problem.as_dict() for problem in problems]} if problems else None
    body = {"errCode": number, "data": shown, "msg": message, "requestId": request_id()}
    return Response(json.dumps(body), number // 100, mimetype="application/json")


def register(app: Flask) -> None:
    """Turn every exception of `app` into a response."""
    app.register_error_handler(RundeskError, _expected)
    app.register_error_handler(HTTPException, _framework)
    app.register_error_handler(Exception, _unexpected)


def _expected(error: RundeskError) -> Response:
    error = rate_limits.count_failed_sign_in(error)
    code = code_of(error)
    if code.status == 500:
        return _unexpected(error)
    reply = envelope(code.number, error.message, _problems(error)[:MAX_PROBLEMS])
    if code.status == 401:
        challenge(reply)
    if isinstance(error, TooMany):
        reply.headers["Retry-After"] = str(error.seconds)
    if code.status == 503:
        reply.headers["Retry-After"] = str(RETRY_AFTER_S)
    return reply


def challenge(reply: Response) -> None:
    """Add WWW-Authenticate to a 401.

    For Basic a browser opens its sign-in dialog. A script of a page and an expired link cannot use
    what is typed there, so they are offered Bearer only.
    """
    reply.headers.add("WWW-Authenticate", 'Bearer realm="rundesk"')
    by_script = request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate"
    if not by_script and "signature" not in request.args:
        reply.headers.add("WWW-Authenticate", 'Basic realm="rundesk", charset="UTF-8"')


def _problems(error: RundeskError) -> Sequence[Problem]:
    """Return the problems of an error; for one without a field, the error itself.

    So every response carries a code that is finer than its error number.
    """
    return error.problems or (Problem("", error.text),)


def _framework(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:
        return _unexpected(error)
    number = FRAMEWORK.get(status, status * 100)
    known = BY_NUMBER.get(number)
    reply = envelope(number, known.meaning if known else error.description or error.name)
    headers = [item for item in error.get_headers() if item[0].lower() != "content-type"]
    reply.headers.extend(headers)
    return reply


def _unexpected(error: Exception) -> Response:
    """Log an unexpected error in full; the response has only its number."""
    log.error("request %s failed", request_id(), exc_info=error)
    return envelope(50000, "An unexpected error occurred. Include the request id in a report.")
