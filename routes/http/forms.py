"""Forms, as the doors of other standards take them: fields of text, and files.

Both kinds of form that browsers know are understood, `multipart/form-data` and
`application/x-www-form-urlencoded`, and so is the query of an address. As everywhere, what is given
twice, cut, too large or no text is refused.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast
from urllib.parse import parse_qsl

from flask import request

from routes.http import multipart, requests
from routes.http.context import desk
from services.errors import Invalid, TooLarge
from services.host.disk import disk_full_as_error
from services.settings import MIB

MOST_PARTS = 1000
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


@dataclass(frozen=True)
class Upload:
    """A file of a form, received whole. The name is as given: to be checked, no path."""

    name: str
    stream: BinaryIO


@dataclass(frozen=True)
class Form:
    """What a form holds, each field once."""

    fields: dict[str, str]
    uploads: list[Upload]


@contextlib.contextmanager
def reading_form(files: Iterable[str] = ()) -> Iterator[Form]:
    """The form in this request's body.

    Parts named in `files` are files and wait on disk, without a name there, until the end of the
    block; every other part is text. Raises Invalid, BodyCut, TooLarge.
    """
    with contextlib.ExitStack() as stack:
        if request.mimetype == MULTIPART:
            yield _multipart(frozenset(files), stack)
        elif request.mimetype == URLENCODED:
            yield Form(text_fields(requests.limited_body(desk().settings.max_body)), [])
        else:
            hint = f"Send {MULTIPART} or {URLENCODED}."
            raise Invalid("The body must be a form.", field="header.Content-Type", hint=hint)


def text_fields(encoded: bytes) -> dict[str, str]:
    """The fields of a query, or of a body of the same form. Raises Invalid."""
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARTS,
        )
    except UnicodeDecodeError:
        raise Invalid("The form is not UTF-8.", field="body") from None
    except ValueError:
        raise Invalid(f"More than {MOST_PARTS} fields.", field="body") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        _add(fields, name, value)
    return fields


def _multipart(files: frozenset[str], stack: contextlib.ExitStack) -> Form:
    form, left = Form({}, []), desk().settings.max_body * MIB
    for number, part in enumerate(multipart.parts(), 1):
        if number > MOST_PARTS:
            raise Invalid(f"More than {MOST_PARTS} parts.", field="body")
        if part.name not in files:
            text = _text(part, left)
            left -= len(text)
            _add(form.fields, part.name, _decoded(part.name, text))
        elif part.filename is None:
            raise Invalid("This part needs a filename.", field=part.name)
        else:
            form.uploads.append(Upload(part.filename, _kept(part, stack)))
    return form


def _text(part: multipart.Part, limit: int) -> bytes:
    read = bytearray()
    for block in part.blocks:
        read += block
        if len(read) > limit:
            most = desk().settings.max_body
            raise TooLarge(f"Fields of more than {most} MiB are not taken.", field="body")
    return bytes(read)


def _kept(part: multipart.Part, stack: contextlib.ExitStack) -> BinaryIO:
    """The content of a part on disk, beside the desk's data: /tmp may be small."""
    limit = desk().settings.max_upload
    file = stack.enter_context(tempfile.TemporaryFile(dir=desk().settings.data))  # noqa: SIM115
    with disk_full_as_error():
        for block in part.blocks:
            file.write(block)
            if file.tell() > limit * MIB:
                raise TooLarge(f"Files of more than {limit} MiB are not taken.", field=part.name)
        file.seek(0)
    return cast(BinaryIO, file)


def _decoded(name: str, text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise Invalid(
            f"Byte {error.start} is not UTF-8.", field=requests.field_name(name)
        ) from None


def _add(fields: dict[str, str], name: str, value: str) -> None:
    if requests.UNFIT.search(name) or requests.UNFIT.search(value):
        raise Invalid(requests.NOT_TEXT, field=requests.field_name(name))
    if name in fields:
        raise Invalid("This may be given only once.", field=requests.field_name(name))
    fields[name] = value
