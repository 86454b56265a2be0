"""From a request to checked values. Whatever does not fit raises Invalid and its kin, by field."""

from __future__ import annotations

import io
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, TypeVar, cast, get_origin

from flask import request
from pydantic import BaseModel, TypeAdapter, ValidationError

from routes.http.context import SIGNATURE, desk, signed_link
from routes.http.errors import SHOWN, BodyCut, NoBody, NotJson, WrongType
from services.errors import Invalid, NotFound, Problem, TooLarge
from services.settings import MIB

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]  # keys and places that lead to a value

DEEPEST = 32  # levels of objects and lists in a JSON body
BLOCK = 256 * 1024  # bytes read at once, as many as the server does
SILENCE = 60.0  # s without a byte after which a connection counts as cut
LEAST, MOST = -(2**63), 2**63 - 1  # what the database keeps as a whole number
UNFIT = re.compile("[\0\ud800-\udfff]")  # NUL, and halves of characters: no valid UTF-8
NOT_TEXT = "Text must not contain NUL or halves of characters."
WORDS = {"extra_forbidden": "This field is unknown.", "missing": "This is needed."}
WHOLE = re.compile(r"-?[0-9]{1,19}(\.0{1,19})?")


def read_path(kinds: dict[str, TypeAdapter[Any]], given: dict[str, str]) -> dict[str, Any]:
    """Path parameters. What does not fit its pattern names nothing: NotFound."""
    found = {}
    for name, kind in kinds.items():
        try:
            if UNFIT.search(given[name]):
                raise NotFound("There is no such thing.", field=f"path.{name}")
            found[name] = kind.validate_python(given[name])
        except ValidationError as error:
            hint = error.errors(include_url=False)[0]["msg"]
            raise NotFound("There is no such thing.", field=f"path.{name}", hint=hint) from None
    return found


def read_query(kind: type[BaseModel] | None) -> BaseModel | None:
    """Query parameters: each known, and given once unless it is a list."""
    known = kind.model_fields if kind else {}
    values: dict[str, Any] = {}
    problems = []
    for name, given in request.args.lists():
        if name in SIGNATURE and signed_link():
            continue
        listed = name in known and get_origin(known[name].annotation) is list
        if name not in known:
            hint = f"Known here: {', '.join(known)}." if known else "None is known here."
            problems.append(Problem(field_name("query", name), "This parameter is unknown.", hint))
        elif len(given) > 1 and not listed:
            problems.append(Problem(f"query.{name}", "This may be given only once."))
        elif any(UNFIT.search(value) for value in given):
            problems.append(Problem(f"query.{name}", "This must not contain NUL characters."))
        elif known[name].annotation is int and not WHOLE.fullmatch(given[0]):
            problems.append(Problem(f"query.{name}", "This must be a whole number."))
        else:
            values[name] = ",".join(given).split(",") if listed else given[0]
    if problems:
        raise Invalid("The query does not fit.", problems=problems[:SHOWN])
    return fitted(kind, values, "query") if kind else None


def read_headers(kind: type[M]) -> M:
    """Headers, by the aliases of the fields."""
    names = [field.alias or name for name, field in kind.model_fields.items()]
    given = {name: request.headers[name] for name in names if name in request.headers}
    return fitted(kind, given, "header")


def read_body(kind: type[M]) -> M:
    """The JSON body."""
    if not request.is_json:
        raise WrongType(
            "The body must be JSON.", field="header.Content-Type", hint="Send application/json."
        )
    data = limited_body(desk().settings.max_body)
    check_json(data)
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise _invalid(error, "") from None


def raw_body() -> BinaryIO:
    """The body as it arrives, as a stream. Raises NoBody when none was sent."""
    announced = request.content_length or "Transfer-Encoding" in request.headers
    if not announced and not request.content_type:
        raise NoBody(
            "The request has no body.",
            field="body",
            hint="Send the bytes of the file; with a Content-Type it may be empty.",
        )
    if (connection := request.environ.get("gunicorn.socket")) is not None:
        connection.settimeout(SILENCE)  # its worker sets it anew for the next request
    return cast(BinaryIO, Arriving())


class Arriving(io.RawIOBase):
    """The body of this request; whatever breaks it on the way is BodyCut."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return request.stream.read(size)
        except Exception as error:  # each server has errors of its own for a broken body
            raise BodyCut("The body ended early.", field="body", hint="Send it again.") from error


def blocks() -> Iterator[bytes]:
    """The body in blocks. Raises BodyCut when the client goes away."""
    arriving = Arriving()
    while block := arriving.read(BLOCK):
        yield block


def check_json(data: bytes) -> None:
    """Refuse JSON that some program on its way would read differently, or not at all.

    Raises NotJson, or Invalid with the field: keys given twice, deep nesting, NUL, halves of
    characters, NaN and infinity, whole numbers beyond 64 bits.
    """
    try:
        value = json.loads(data.decode(), object_pairs_hook=_object, parse_int=_whole)
    except RecursionError:
        raise Invalid(f"More than {DEEPEST} levels.", field="body") from None
    except UnicodeDecodeError as error:
        raise NotJson(f"Byte {error.start} is not UTF-8.", field="body") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotJson("The body is not JSON.", field="body", hint=f"{error.msg}: {place}") from None
    # the path of each value starts with its place in the list that holds the body alone
    found = itertools.islice(_unfit(value), SHOWN)
    if problems := [Problem(field_name("", *path[1:]), message) for path, message in found]:
        raise Invalid("The body does not fit.", problems=problems)


def renamed(error: Invalid, query: type[BaseModel] | None) -> Invalid:
    """An error of a service that names a query parameter, with the name it has in a request."""
    known = query.model_fields if query else {}
    problems = [
        Problem(f"query.{problem.field}", problem.message, problem.hint)
        if problem.field in known
        else problem
        for problem in error.problems
    ]
    return Invalid(error.message, hint=error.hint, problems=problems)


def limited_body(limit: int) -> bytes:
    """The whole body, at most `limit` MiB, whether its length is announced or not."""
    too_large = TooLarge(f"More than {limit} MiB are not taken here.", field="body")
    if (request.content_length or 0) > limit * MIB:
        raise too_large
    read = bytearray()
    for block in blocks():
        read += block
        if len(read) > limit * MIB:
            raise too_large
    if len(read) < (request.content_length or 0):
        raise BodyCut("The body ended early.", field="body", hint="Send it again.")
    return bytes(read)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise Invalid("A key is given twice in one object.", field=field_name("", twice))
    return found


def _whole(text: str) -> int:
    """A whole number; one of thousands of digits is not worked out, only kept out of range."""
    return int(text[:21])


def _unfit(value: Any) -> Iterator[tuple[Path, str]]:
    """Path and complaint of every value that must not be kept; does not recurse."""
    waiting: list[tuple[Path, Any]] = [((), [value])]
    while waiting:
        path, container = waiting.pop()
        if len(path) > DEEPEST:
            yield path, f"More than {DEEPEST} levels."
            continue
        for key, item in container.items() if isinstance(container, dict) else enumerate(container):
            if isinstance(key, str) and UNFIT.search(key):
                yield (*path, key), NOT_TEXT
            if isinstance(item, dict | list):
                waiting.append(((*path, key), item))
            elif complaint := _complaint(item):
                yield (*path, key), complaint


def _complaint(value: Any) -> str:
    """What is wrong with a single value, or nothing."""
    if isinstance(value, str):
        return NOT_TEXT if UNFIT.search(value) else ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "Numbers must be finite."
    if isinstance(value, int):
        return "" if LEAST <= value <= MOST else "Whole numbers must fit 64 bits."
    return ""


def fitted(kind: type[M], values: dict[str, Any], place: str) -> M:
    """`values` as a model; `place` is where they come from. Raises Invalid with the fields."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _invalid(error, place) from None


def _invalid(error: ValidationError, place: str) -> Invalid:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [
        Problem(field_name(place, *item["loc"]), WORDS.get(item["type"], f"{item['msg']}."))
        for item in found
    ]
    return Invalid("The request does not fit.", problems=problems[:SHOWN])


def field_name(root: str, *path: str | int) -> str:
    """The name of a field in an error: short, and fit to be written anywhere."""
    name = ".".join([*([root] if root else []), *map(str, path)]) or "body"
    return UNFIT.sub("\N{REPLACEMENT CHARACTER}", name[:200])
