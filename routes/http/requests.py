"""Read and check the parts of a request. Anything invalid raises Invalid with its field."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, TypeVar, cast, get_origin

from flask import request
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from routes.http import field_formats
from routes.http.context import SIGNATURE, services, signed_link
from routes.http.errors import (
    BODY_INCOMPLETE,
    BODY_MISSING,
    BODY_TOO_SLOW,
    EXPECTED_CONTENT_TYPE,
    MAX_PROBLEMS,
    BodyIncomplete,
    BodyMissing,
    BodyTooSlow,
    NotJson,
    WrongContentType,
)
from routes.http.slow_clients import ClientTooSlow
from services.errors import Invalid, Message, NotFound, Problem, Text, TooLarge
from services.params import json_values, model_errors
from services.settings import MIB

M = TypeVar("M", bound=BaseModel)

READ_CHUNK_BYTES = 256 * 1024  # as many as the server reads: see gunicorn_worker.MAX_RECV_BYTES
INTEGER = re.compile(r"-?[0-9]{1,19}(\.0{1,19})?")

UNKNOWN_PARAMETER = Message(
    "unknown_field", "Unknown query parameter.", hint="Allowed parameters: {allowed}."
)
NO_PARAMETERS = Message(
    "unknown_field", "Unknown query parameter.", hint="This request has no query parameters."
)
GIVEN_TWICE = Message("duplicate_field", "Must be given only once.")
DUPLICATE_KEY = Message("duplicate_field", "An object must not have the same key twice.")
NOT_UTF8 = Message("invalid_characters", "Not valid UTF-8 at byte {byte}.")
NOT_JSON_AT = Message(
    "not_json",
    "The body is not valid JSON.",
    hint="{reason} at line {line}, column {column}.",
)
COMPRESSED_BODY = Message(
    "wrong_content_type",
    "The body must not be compressed: Content-Encoding is {coding}.",
    hint="Send the body without Content-Encoding.",
)
BODY_TOO_LARGE = Message("body_too_large", "The body must not be larger than {limit} MiB.")


def read_path(kinds: dict[str, TypeAdapter[Any]], path: dict[str, str]) -> dict[str, Any]:
    """Return the path parameters. Raises NotFound: a malformed id names no resource."""
    values = {}
    for name, kind in kinds.items():
        try:
            if json_values.INVALID_TEXT.search(path[name]):
                raise NotFound(not_found(name), field=f"path.{name}")
            values[name] = kind.validate_python(path[name])
        except ValidationError:
            raise NotFound(not_found(name), field=f"path.{name}") from None
    return values


def not_found(name: str) -> Text:
    """Return the problem of a path parameter with a malformed value."""
    return field_formats.NOT_FOUND.get(name, NotFound.default)()


def read_query(kind: type[BaseModel] | None) -> BaseModel | None:
    """Return the query parameters: each known, and given once unless it is a list.

    Libraries write lists as `x[]=a&x[]=b`. Forms send empty values for empty fields: text and
    lists that are empty are absent.
    """
    known = kind.model_fields if kind else {}
    lists = {name for name, field in known.items() if get_origin(field.annotation) is list}
    values: dict[str, Any] = {}
    problems = []
    for name, given in _query_values(lists).items():
        if name in SIGNATURE and signed_link():
            continue
        field = field_name("query", name)
        if name not in known:
            text = UNKNOWN_PARAMETER(allowed=", ".join(known)) if known else NO_PARAMETERS()
            problems.append(Problem(field, text))
        elif len(given) > 1 and name not in lists:
            problems.append(Problem(field, GIVEN_TWICE()))
        elif any(json_values.INVALID_TEXT.search(value) for value in given):
            problems.append(Problem(field, json_values.INVALID_CHARACTERS()))
        elif not any(given) and _may_be_empty(known[name]):
            continue
        elif known[name].annotation is int and not INTEGER.fullmatch(given[0]):
            problems.append(Problem(field, model_errors.NOT_AN_INTEGER()))
        else:
            values[name] = ",".join(given).split(",") if name in lists else given[0]
    if problems:
        raise Invalid(problems=problems[:MAX_PROBLEMS])
    return validate(kind, values, "query") if kind else None


def _may_be_empty(field: FieldInfo) -> bool:
    """Return whether an empty parameter is absent: a list, or text that the document allows."""
    if get_origin(field.annotation) is list:
        return True
    return field.annotation in (str, str | None) and not any(
        getattr(rule, "min_length", None) for rule in field.metadata
    )


def _query_values(lists: Collection[str]) -> dict[str, list[str]]:
    """Return the values of the query by name; those of `x[]` belong to the list `x`."""
    values: dict[str, list[str]] = {}
    for name, given in request.args.lists():
        base = name.removesuffix("[]")
        values.setdefault(base if base in lists else name, []).extend(given)
    return values


def read_headers(kind: type[M]) -> M:
    """Return the headers, by the aliases of the fields."""
    names = [field.alias or name for name, field in kind.model_fields.items()]
    values = {name: request.headers[name] for name in names if name in request.headers}
    return validate(kind, values, "header")


def read_body(kind: type[M]) -> M:
    """Return the JSON body as a model. Raises WrongContentType, NotJson, Invalid, TooLarge."""
    if not request.is_json:
        raise WrongContentType(
            EXPECTED_CONTENT_TYPE(expected="application/json"), field="header.Content-Type"
        )
    data = limited_body(services().settings.max_body)
    check_json(data)
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise _invalid(error, "") from None


def has_body() -> bool:
    """Return whether the request has a body that is not known to be empty."""
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def raw_body() -> BinaryIO:
    """Return the body as a stream of the bytes that arrive. Raises BodyMissing."""
    if not has_body() and not request.content_type:
        raise BodyMissing(BODY_MISSING(), field="body")
    return cast(BinaryIO, BodyStream())


class BodyStream(io.RawIOBase):
    """The body of this request. Every error of the connection is BodyIncomplete.

    Raises BodyTooSlow for a client that is too slow (see slow_clients.py).

    Raises WrongContentType for a body with a content coding, which nothing here undoes.
    """

    def __init__(self) -> None:
        coding = request.headers.get("Content-Encoding", "").strip().lower()
        if coding not in ("", "identity"):
            text = COMPRESSED_BODY(coding=coding[:40])
            raise WrongContentType(text, field="header.Content-Encoding")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return request.stream.read(size)
        except ClientTooSlow as error:
            raise BodyTooSlow(BODY_TOO_SLOW(), field="body") from error
        except Exception as error:  # each server has errors of its own for a broken body
            raise BodyIncomplete(BODY_INCOMPLETE(), field="body") from error


def blocks() -> Iterator[bytes]:
    """Yield the body in chunks. Raises BodyIncomplete when the client disconnects."""
    stream = BodyStream()
    while block := stream.read(READ_CHUNK_BYTES):
        yield block


def check_json(data: bytes) -> None:
    """Refuse JSON that other programs might read differently, or not at all.

    Raises NotJson, or Invalid with the fields: duplicate keys, deep nesting, NUL, unpaired
    surrogates, NaN and infinity, integers beyond 64 bits.
    """
    try:
        value = json.loads(data.decode(), object_pairs_hook=_object, parse_int=_integer)
    except RecursionError:
        raise Invalid(
            json_values.TOO_DEEP(limit=json_values.MAX_JSON_DEPTH), field="body"
        ) from None
    except UnicodeDecodeError as error:
        raise NotJson(NOT_UTF8(byte=error.start), field="body") from None
    except json.JSONDecodeError as error:
        text = NOT_JSON_AT(reason=error.msg, line=error.lineno, column=error.colno)
        raise NotJson(text, field="body") from None
    invalid = itertools.islice(json_values.invalid_values(value), MAX_PROBLEMS)
    if problems := [Problem(field_name("", *path), text) for path, text in invalid]:
        raise Invalid(problems=problems)


def with_query_fields(error: Invalid, query: type[BaseModel] | None) -> Invalid:
    """Return an error of a service with the fields of the query named as in a request."""
    known = query.model_fields if query else {}
    # the same field may be in the body; and `sheet` is that of a table that cannot be read
    if request.is_json or "sheet" in known:
        known = {name: field for name, field in known.items() if name in request.args}
    problems = [
        problem.at(f"query.{problem.field}") if problem.field in known else problem
        for problem in error.problems
    ]
    return Invalid(error.text, problems=problems)


def limited_body(limit: int) -> bytes:
    """Return the whole body, of at most `limit` MiB, whether its length is announced or not."""
    too_large = TooLarge(BODY_TOO_LARGE(limit=limit), field="body")
    if (request.content_length or 0) > limit * MIB:
        raise too_large
    read = bytearray()
    for block in blocks():
        read += block
        if len(read) > limit * MIB:
            raise too_large
    if len(read) < (request.content_length or 0):
        raise BodyIncomplete(BODY_INCOMPLETE(), field="body")
    return bytes(read)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise Invalid(DUPLICATE_KEY(), field=field_name("", twice))
    return value


def _integer(text: str) -> int:
    """Return an integer. One of thousands of digits is cut: out of range either way."""
    return int(text[:21])


def validate(kind: type[M], values: dict[str, Any], source: str) -> M:
    """Return `values` as a model. Raises Invalid with the fields.

    `source` is the part of the request that the values come from ("query", "header"), or "".
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _invalid(error, source) from None


def _invalid(error: ValidationError, source: str) -> Invalid:
    problems = [
        Problem(field_name(source, *details["loc"]), field_formats.text_of(details))
        for details in error.errors(include_url=False, include_input=False)
    ]
    return Invalid(problems=problems[:MAX_PROBLEMS])


def field_name(root: str, *path: str | int) -> str:
    """Return the name of a field for a problem: short, and safe to write anywhere."""
    return json_values.field_name(root, *path) or "body"
