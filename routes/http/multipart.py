"""The parts of a multipart/form-data body as streams, never whole in memory or on disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio import multipart

from routes.http import requests
from routes.http.errors import BodyIncomplete
from services.errors import Message, Text

#: The body of an upload in the API document: raw bytes or a form.
FILE_BODY = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"file": {"type": "string", "format": "binary"}},
            "required": ["file"],
            "additionalProperties": False,
        }
    },
}

MAX_PART_HEADER_BYTES = 256 * 1024

NOT_A_FILE = Message(
    "wrong_content_type",
    "The part {name} is not a file.",
    hint="Send one part, with a filename.",
)
NO_FILE = Message("missing", "The body contains no file.", hint="Send one part, with a filename.")
NO_BOUNDARY = Message(
    "wrong_format",
    "The Content-Type header has no boundary.",
    hint="Let the client set the header.",
)
SEVERAL_PARTS = Message(
    "conflicting_fields", "The body contains more than one part.", hint="Send one file at a time."
)
MALFORMED = Message(
    "body_incomplete",
    "The body is incomplete, or its parts do not match the boundary.",
    hint="Send the request again.",
)


class FilePart(io.RawIOBase):
    """The only file of the body. Its last read fails unless the whole body is well-formed."""

    def __init__(self, name: str, data: Iterator[bytes]) -> None:
        self.name = name
        self._data = data
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, perhaps fewer; none at the end."""
        while not self._waiting:
            block = next(self._data, None)
            if block is None:
                return b""
            self._waiting = block
        size = len(self._waiting) if size < 0 else size
        block, self._waiting = self._waiting[:size], self._waiting[size:]
        return block


@dataclass(frozen=True)
class Part:
    """A part of a form; a file if it has a filename. Read its blocks before the next part."""

    name: str
    filename: str | None
    blocks: Iterator[bytes]


def parts() -> Iterator[Part]:
    """Yield the parts of this request's body in order. Raises BodyIncomplete, even at the end."""
    events = _events(_boundary())
    for event in events:
        if isinstance(event, multipart.File):
            yield Part(event.name or "", event.filename, _blocks(events))
        elif isinstance(event, multipart.Field):
            yield Part(event.name or "", None, _blocks(events))


def file_part() -> FilePart:
    """Return the file of this request's body, positioned at its start. Raises BodyIncomplete."""
    events = _events(_boundary())
    for event in events:
        if isinstance(event, multipart.File):
            return FilePart(event.filename, _data(events))
        if isinstance(event, multipart.Field):
            raise _incomplete(NOT_A_FILE(name=requests.field_name("", event.name or "")))
    raise _incomplete(NO_FILE())


def _boundary() -> bytes:
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary:
        raise _incomplete(NO_BOUNDARY())
    return boundary.encode()


def _blocks(events: Iterator[multipart.Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, multipart.Data):
            yield event.data
            if not event.more_data:
                return


def _data(events: Iterator[multipart.Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, multipart.Data):
            yield event.data
        elif isinstance(event, multipart.File | multipart.Field):
            raise _incomplete(SEVERAL_PARTS())


def _events(boundary: bytes) -> Iterator[multipart.Event]:
    """Yield the contents of the body as they arrive. Raises BodyIncomplete if malformed."""
    decoder = multipart.MultipartDecoder(
        boundary, MAX_PART_HEADER_BYTES + requests.READ_CHUNK_BYTES
    )
    try:
        for block in requests.blocks():
            decoder.receive_data(block)
            yield from _decoded(decoder)
        decoder.receive_data(None)
        yield from _decoded(decoder)
    except (ValueError, RequestEntityTooLarge) as error:
        raise _incomplete(MALFORMED()) from error


def _decoded(decoder: multipart.MultipartDecoder) -> Iterator[multipart.Event]:
    while True:
        event = decoder.next_event()
        if isinstance(event, multipart.Epilogue | multipart.NeedData):
            return
        yield event


def _incomplete(text: Text) -> BodyIncomplete:
    return BodyIncomplete(text, field="body")
