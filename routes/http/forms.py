"""Forms, which the WES and BLAST APIs use: text fields and files.

`multipart/form-data`, `application/x-www-form-urlencoded` and the query of a URL are supported.
Duplicate fields, incomplete or large bodies and invalid text are refused.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast
from urllib.parse import parse_qsl

from flask import request

from routes.http import multipart, requests
from routes.http.context import services
from services.errors import Invalid, Message, TooLarge
from services.host.disk import disk_full_as_error
from services.params import json_values
from services.settings import MIB

MAX_FORM_PARTS = 1000
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

NOT_A_FORM = Message(
    "wrong_content_type",
    "The body must be a form.",
    hint=f"Send {MULTIPART} or {URLENCODED}.",
)
NOT_UTF8 = Message("invalid_characters", "The form is not valid UTF-8.")
FIELD_NOT_UTF8 = Message("invalid_characters", "Not valid UTF-8 at byte {byte}.")
TOO_MANY_FIELDS = Message("wrong_length", "The form must not have more than {limit} fields.")
NO_FILENAME = Message("missing", "This part must have a filename.")
FIELDS_TOO_LARGE = Message(
    "body_too_large", "The fields of a form must not be larger than {limit} MiB."
)
FILE_TOO_LARGE = Message("file_too_large", "Files must not be larger than {limit} MiB.")


@dataclass(frozen=True)
class FormFile:
    """A file of a form, completely received. Its name is unchecked; never use it as a path."""

    name: str
    stream: BinaryIO


@dataclass(frozen=True)
class FormBody:
    """The fields of a form, each once, and its files."""

    fields: dict[str, str]
    files: list[FormFile]


@contextlib.contextmanager
def reading_form(
    files: Iterable[str] = (), known: Container[str] | None = None
) -> Iterator[FormBody]:
    """Yield the form in this request's body.

    Parts named in `files` are files; until the end of the block they are unnamed temporary files.
    Every other part is text. With `known`, other fields are left out, and the caller checks the
    characters of the rest (`check_text`). Raises Invalid, BodyIncomplete, TooLarge, DiskFull.
    """
    with contextlib.ExitStack() as stack:
        if request.mimetype == MULTIPART:
            yield _multipart(frozenset(files), known, stack)
        elif request.mimetype == URLENCODED:
            body = requests.limited_body(services().settings.max_body)
            yield FormBody(text_fields(body, known), [])
        else:
            raise Invalid(NOT_A_FORM(), field="header.Content-Type")


def text_fields(encoded: bytes, known: Container[str] | None = None) -> dict[str, str]:
    """Return the fields of a query, or of a body in the same encoding. Raises Invalid."""
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FORM_PARTS,
        )
    except UnicodeDecodeError:
        raise Invalid(NOT_UTF8(), field="body") from None
    except ValueError:
        raise Invalid(TOO_MANY_FIELDS(limit=MAX_FORM_PARTS), field="body") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if known is None:
            check_text({name: value})
        if known is None or name in known:
            _add(fields, name, value)
    return fields


def _multipart(
    files: frozenset[str], known: Container[str] | None, stack: contextlib.ExitStack
) -> FormBody:
    form, left = FormBody({}, []), services().settings.max_body * MIB
    for number, part in enumerate(multipart.parts(), 1):
        if number > MAX_FORM_PARTS:
            raise Invalid(TOO_MANY_FIELDS(limit=MAX_FORM_PARTS), field="body")
        if part.name not in files:
            text = _text(part, left)
            left -= len(text)
            decoded = _decoded(part.name, text)
            if known is None:
                check_text({part.name: decoded})
            if known is None or part.name in known:
                _add(form.fields, part.name, decoded)
        elif part.filename is None:
            raise Invalid(NO_FILENAME(), field=part.name)
        else:
            form.files.append(FormFile(part.filename, _stored(part, stack)))
    return form


def _text(part: multipart.Part, limit: int) -> bytes:
    read = bytearray()
    for block in part.blocks:
        read += block
        if len(read) > limit:
            text = FIELDS_TOO_LARGE(limit=services().settings.max_body)
            raise TooLarge(text, field="body")
    return bytes(read)


def _stored(part: multipart.Part, stack: contextlib.ExitStack) -> BinaryIO:
    """Write a part to a temporary file in the data folder: /tmp may be small."""
    limit = services().settings.max_upload
    file = stack.enter_context(tempfile.TemporaryFile(dir=services().settings.data))  # noqa: SIM115
    with disk_full_as_error():
        for block in part.blocks:
            file.write(block)
            if file.tell() > limit * MIB:
                raise TooLarge(FILE_TOO_LARGE(limit=limit), field=part.name)
        file.seek(0)
    return cast(BinaryIO, file)


def _decoded(name: str, text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        problem = FIELD_NOT_UTF8(byte=error.start)
        raise Invalid(problem, field=requests.field_name(name)) from None


def _add(fields: dict[str, str], name: str, value: str) -> None:
    if name in fields:
        raise Invalid(requests.GIVEN_TWICE(), field=requests.field_name(name))
    fields[name] = value


def check_text(fields: Mapping[str, str]) -> None:
    """Raise Invalid for a name or a value that is not valid text."""
    for name, value in fields.items():
        if json_values.INVALID_TEXT.search(name) or json_values.INVALID_TEXT.search(value):
            raise Invalid(json_values.INVALID_CHARACTERS(), field=requests.field_name(name))
