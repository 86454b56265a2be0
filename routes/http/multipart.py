"""The parts of a multipart/form-data body, as streams: never whole in memory or on disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio import multipart

from routes.http import requests
from routes.http.errors import BodyCut

#: The body of an upload, as the API document describes it: raw bytes or a form.
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

MOST_HEADERS = 256 * 1024  # bytes that may wait for the end of a part's headers


class FilePart(io.RawIOBase):
    """The one file of the body. Its end is told only when the whole body proved to be in order."""

    def __init__(self, name: str, data: Iterator[bytes]) -> None:
        self.name = name
        self._data = data
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, perhaps fewer; none at the end."""
        while not self._waiting:
            block = next(self._data, None)
            if block is None:
                return b""
            self._waiting = block
        size = len(self._waiting) if size < 0 else size
        found, self._waiting = self._waiting[:size], self._waiting[size:]
        return found


@dataclass(frozen=True)
class Part:
    """One part of a form: a file when it has a filename. Its blocks are read before the next."""

    name: str
    filename: str | None
    blocks: Iterator[bytes]


def parts() -> Iterator[Part]:
    """The parts of this request's body, in order. Raises BodyCut, at the latest at its end."""
    events = _events(_boundary())
    for event in events:
        if isinstance(event, multipart.File):
            yield Part(event.name or "", event.filename, _blocks(events))
        elif isinstance(event, multipart.Field):
            yield Part(event.name or "", None, _blocks(events))


def file_part() -> FilePart:
    """The file of this request's body, read up to the file's first byte. Raises BodyCut."""
    events = _events(_boundary())
    for event in events:
        if isinstance(event, multipart.File):
            return FilePart(event.filename, _data(events))
        if isinstance(event, multipart.Field):
            raise _wrong(
                f"The part {event.name!r} is not a file.", "Send one part, with a filename."
            )
    raise _wrong("The body holds no file.", "Send one part with a filename.")


def _boundary() -> bytes:
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary:
        raise _wrong("The Content-Type names no boundary.", "Let the client set it by itself.")
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
            raise _wrong("The body holds more than one part.", "Send one file at a time.")


def _events(boundary: bytes) -> Iterator[multipart.Event]:
    """What the body holds, as it arrives. Raises BodyCut when it breaks the format."""
    decoder = multipart.MultipartDecoder(boundary, MOST_HEADERS + requests.BLOCK)
    try:
        for block in requests.blocks():
            decoder.receive_data(block)
            yield from _decoded(decoder)
        decoder.receive_data(None)
        yield from _decoded(decoder)
    except (ValueError, RequestEntityTooLarge) as error:
        raise _wrong(
            "The body ended early, or its parts do not fit the boundary.", "Send it again."
        ) from error


def _decoded(decoder: multipart.MultipartDecoder) -> Iterator[multipart.Event]:
    while True:
        event = decoder.next_event()
        if isinstance(event, multipart.Epilogue | multipart.NeedData):
            return
        yield event


def _wrong(message: str, hint: str) -> BodyCut:
    return BodyCut(message, field="body", hint=hint)
