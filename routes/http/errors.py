"""Errors as HTTP: one table from our errors to status and number, one envelope, one place."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

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
    Invalid,
    Locked,
    NotFound,
    NotSignedIn,
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

SHOWN = 50  # problems told at once
RETRY_AFTER = 2  # s; the database is back within a few seconds, or it takes longer


class NotJson(Invalid):
    """The body is not JSON."""


class BodyCut(Invalid):
    """The body ended early."""


class NoBody(Invalid):
    """The request has no body."""


class WrongType(Invalid):
    """This kind of body is not taken here."""


class ForeignHost(Forbidden):
    """The request was sent to a name that is not this desk's."""


class ForeignOrigin(Forbidden):
    """A page of another site may not do that."""


class NoPlace(RundeskError):
    """Too many follow something here already: ask again now and then instead."""


@dataclass(frozen=True)
class Code:
    """A kind of failure. The status is in the number: 40401 is a 404."""

    number: int
    meaning: str  # for the API document
    error: type[Exception] | None = None  # ours; None: an HTTP error of the framework

    @property
    def status(self) -> int:
        return self.number // 100


#: Numbers never change their meaning; new ones are added.
CODES = (
    Code(40000, "The request is malformed."),
    Code(40001, "A field, query parameter or header does not fit; see `problems`.", Invalid),
    Code(40002, "The body is not JSON.", NotJson),
    Code(40003, "The body ended early, or its parts do not fit together.", BodyCut),
    Code(40004, "The request has no body.", NoBody),
    Code(40100, "Nobody is signed in: a token or link is missing, or has expired.", NotSignedIn),
    Code(40300, "You may not do that.", Forbidden),
    Code(40301, "The Host header does not name this desk.", ForeignHost),
    Code(40302, "The request comes from a page of another site.", ForeignOrigin),
    Code(40400, "There is no such thing, or it is not yours.", NotFound),
    Code(40401, "There is nothing at this address."),
    Code(40500, "The address does not know this method."),
    Code(40900, "Not possible in the present state.", Conflict),
    Code(40901, "The run is not in a state from which that is allowed.", TransitionRefused),
    Code(40902, "The upload stands at another byte than the one sent.", WrongOffset),
    Code(41200, "A precondition of the request does not hold."),
    Code(41300, "The body is larger than this desk takes.", TooLarge),
    Code(41400, "The address is too long."),
    Code(41500, "The body is of a kind that is not taken here.", WrongType),
    Code(41600, "The range lies outside the content."),
    Code(41700, "That expectation cannot be met."),
    Code(42300, "Another request is at work on it.", Locked),
    Code(42900, "Too often; wait as long as `Retry-After` says.", TooMany),
    Code(43100, "The headers are too many or too long."),
    Code(46000, "What arrived does not have the checksum that was sent.", WrongChecksum),
    Code(50000, "The desk failed; quote `requestId` when you report it.", Exception),
    Code(50100, "This transfer coding is unknown here."),
    Code(50300, "The database does not answer; try again soon.", DatabaseUnavailable),
    Code(50301, "All places for streams are taken; poll, or try again.", NoPlace),
    Code(50700, "The disk of this desk is full.", DiskFull),
)
BY_ERROR = {code.error: code for code in CODES if code.error}
BY_NUMBER = {code.number: code for code in CODES}
FRAMEWORK = {404: 40401}  # numbers of HTTP errors that are not their status and two zeros


class Trouble(Model):
    """One thing that is wrong, and where."""

    field: str = Field(
        description="Path of the field: `params.evalue`, `body`, `query.limit`, `path.run_id`",
        examples=["params.evalue"],
    )
    message: str = Field(description="One sentence", examples=["This must be a number."])
    hint: str = Field(description="What to do about it, or empty", examples=["E-value cut-off"])


class Troubles(Model):
    problems: list[Trouble]


class Failure(Model):
    """What every failed request is answered with."""

    errCode: int = Field(description="See the table of error numbers", examples=[40001])
    data: Troubles | None = Field(description="What is wrong in detail, where it is known")
    msg: str = Field(description="One sentence", examples=["The parameters do not fit."])
    requestId: str = Field(
        description="The same as in X-Request-Id; quote it in a report",
        examples=["6f1c9e02a4b7d358"],
    )


def code_of(error: Exception) -> Code:
    """The line of the table for an error; that of its nearest class."""
    return next(BY_ERROR[kind] for kind in type(error).__mro__ if kind in BY_ERROR)


def envelope(number: int, message: str, problems: Sequence[Problem] = ()) -> Response:
    """A failed reply."""
    shown = {"problems": [problem.as_dict() for problem in problems]} if problems else None
    body = {"errCode": number, "data": shown, "msg": message, "requestId": request_id()}
    return Response(json.dumps(body), number // 100, mimetype="application/json")


def register(app: Flask) -> None:
    """Every failure of `app` leaves through one of these."""
    app.register_error_handler(RundeskError, _expected)
    app.register_error_handler(HTTPException, _framework)
    app.register_error_handler(Exception, _unexpected)


def _expected(error: RundeskError) -> Response:
    error = rate_limits.told(error)
    code = code_of(error)
    if code.status == 500:
        return _unexpected(error)
    reply = envelope(code.number, error.message, _with_hint(error)[:SHOWN])
    if code.status == 401:
        challenge(reply)
    if isinstance(error, TooMany):
        reply.headers["Retry-After"] = str(error.seconds)
    if code.status == 503:
        reply.headers["Retry-After"] = str(RETRY_AFTER)
    return reply


def challenge(reply: Response) -> None:
    """Say how to sign in. A browser asks its user for what Basic needs, so where one may be
    waiting that cannot use it (a page's script, an expired link) only Bearer is named.
    """
    reply.headers.add("WWW-Authenticate", 'Bearer realm="rundesk"')
    by_script = request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate"
    if not by_script and "signature" not in request.args:
        reply.headers.add("WWW-Authenticate", 'Basic realm="rundesk", charset="UTF-8"')


def _with_hint(error: RundeskError) -> Sequence[Problem]:
    """The problems of an error; one without a field, for an error that has only a hint."""
    if not error.problems and error.hint:
        return (Problem("", error.message, error.hint),)
    return error.problems


def _framework(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:
        return _unexpected(error)
    number = FRAMEWORK.get(status, status * 100)
    known = BY_NUMBER.get(number)
    reply = envelope(number, known.meaning if known else error.description or error.name)
    kept = [item for item in error.get_headers() if item[0].lower() != "content-type"]
    reply.headers.extend(kept)
    return reply


def _unexpected(error: Exception) -> Response:
    """What nobody foresaw: told in full to the log, and by its number to the caller."""
    log.error("request %s failed", request_id(), exc_info=error)
    return envelope(50000, "The desk failed. Quote the request id when you report it.")
