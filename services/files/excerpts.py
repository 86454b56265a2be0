"""Excerpts of files for previews: unpacked, decoded and limited in size, whatever the bytes are.

All functions raise Invalid with the reason when a file cannot be shown, NotFound when it is gone.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import itertools
import lzma
import os
import re
import stat
import zlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from services.errors import Invalid, Message, NotFound
from services.settings import MIB
from services.sheets.encodings import utf16

MAX_LINE_LENGTH = 1_000_000  # characters; a longer line is not shown as a row of a table
MAX_VERIFIED_BYTES = 32 * MIB  # unpacked; damage within these is noticed before anything is shown
READ_CHUNK_BYTES = MIB
SNIFFED_BYTES = 65536  # that decide about the encoding
MIN_UTF16_BYTES = 32  # without a byte order mark; fewer bytes may as well be binary data
MAX_CONTROL_SHARE = 0.05  # of the characters; a file with more is binary
MAX_REPLACED_SHARE = 0.3  # of the characters; a file with more has another encoding
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
CONTROL = re.compile("[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")  # not ESC, which starts colors in logs
#: The signature of UTF-32 in little-endian order starts with that of UTF-16.
SIGNATURES = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

GONE = Message("gone", "The content of this file was removed from storage.")
NOT_A_FILE = Message("unreadable_file", "This cannot be shown because it is not a regular file.")
NOT_READABLE = Message("unreadable_file", "This file cannot be shown because reading it failed.")
EMPTY = Message("unreadable_file", "This file is empty.")
NOT_COMPRESSED = Message(
    "unreadable_file",
    "This file cannot be shown because it is not compressed with {format}."
    " Its name ends in .{ending}.",
)
DAMAGED = Message(
    "unreadable_file",
    "This file cannot be shown because its {format} data are damaged or incomplete.",
)
BINARY = Message("unreadable_file", "This file cannot be shown because it contains binary data.")
NOT_UTF8 = Message(
    "unreadable_file",
    "This file cannot be shown because it is not encoded in UTF-8.",
    hint="Download the file, or save it as UTF-8.",
)
LINE_TOO_LONG = Message(
    "unreadable_file",
    "This file cannot be shown as a table: line {line:,} has more than {limit:,} characters.",
)
INVALID_CSV = Message(
    "unreadable_file", "This file cannot be shown as a table because it is not valid CSV: {reason}."
)


@dataclass(frozen=True)
class _Compression:
    name: str
    signature: bytes


GZIP = _Compression("gzip", b"\x1f\x8b")
COMPRESSIONS = {
    "gz": GZIP,
    "bgz": GZIP,
    "bgzf": GZIP,
    "bz2": _Compression("bzip2", b"BZh"),
    "xz": _Compression("xz", b"\xfd7zXZ\x00"),
    "zst": _Compression("zstd", b"\x28\xb5\x2f\xfd"),
}


@dataclass(frozen=True)
class Excerpt:
    """The beginning of a text."""

    text: str
    cut: bool  # the file continues

    @property
    def replaced(self) -> bool:
        """Whether the text contains replacement characters, for instance for invalid bytes."""
        return REPLACEMENT in self.text


def unpacked_name(name: str) -> str:
    """Return the name of a file without the ending of a compression, in lower case."""
    name = name.lower()
    return name.rpartition(".")[0] if _compression(name) else name


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the first `limit` bytes of a file as they are stored."""
    with _open(path) as file:
        try:
            return file.read(limit)
        except OSError as error:
            raise Invalid(NOT_READABLE()) from error


def read_end(path: Path, limit: int) -> bytes:
    """Return the last `limit` bytes of a file."""
    with _open(path) as file:
        try:
            file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
            return file.read(limit)
        except OSError as error:
            raise Invalid(NOT_READABLE()) from error


def read_text(path: Path, name: str, limit: int) -> Excerpt:
    """Return the first `limit` bytes of a text, unpacked as its name requires."""
    with _unpacked(path, name) as file:
        head = _read(file, name, limit + 1)
    encoding = _encoding(head)
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    cut = len(head) > limit
    return Excerpt(decoder.decode(head[:limit], final=not cut), cut)


def text_lines(path: Path, name: str) -> Generator[str]:
    """Yield the lines of a text with their ends, unpacked as its name requires."""
    with _unpacked(path, name) as file:
        encoding = _encoding(_read(file, name, SNIFFED_BYTES))
    with _unpacked(path, name) as file:
        checked = cast(BinaryIO, _Checked(file, name))
        text = io.TextIOWrapper(checked, encoding, errors="replace", newline="")
        for number in itertools.count(1):
            line = text.readline(MAX_LINE_LENGTH + 1)
            if not line:
                return
            if len(line) > MAX_LINE_LENGTH:
                raise Invalid(LINE_TOO_LONG(line=number, limit=MAX_LINE_LENGTH))
            yield line


def table_rows(path: Path, name: str, *, skip: int = 0) -> Generator[list[str]]:
    """Yield the cells of each row of a table as they are written, without empty lines.

    Cells of CSV may be quoted (RFC 4180); those of other tables are separated by tabs alone. The
    first `skip` lines are not part of the table.
    """
    lines = itertools.islice(text_lines(path, name), skip, None)
    if not unpacked_name(name).endswith(".csv"):
        for line in lines:
            if row := line.rstrip("\r\n"):
                yield row.split("\t")
        return
    try:
        yield from filter(None, csv.reader(lines))
    except csv.Error as error:
        raise Invalid(INVALID_CSV(reason=error)) from error


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file; does not wait for the writer of a pipe."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb", opener=_without_waiting))
        except FileNotFoundError as error:
            raise NotFound(GONE()) from error
        except IsADirectoryError as error:
            raise Invalid(NOT_A_FILE()) from error
        except OSError as error:  # no permission, a socket, a loop of links
            raise Invalid(NOT_READABLE()) from error
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Invalid(NOT_A_FILE())
        yield file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


@contextmanager
def _unpacked(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file and unpack it if its name says that it is compressed."""
    compression = _compression(name)
    with ExitStack() as stack:
        file = stack.enter_context(_open(path))
        if compression is None:
            yield file
            return
        head = file.read(len(compression.signature))
        file.seek(0)
        if not head:
            raise Invalid(EMPTY())
        if head != compression.signature[: len(head)]:
            ending = name.lower().rpartition(".")[2]
            raise Invalid(NOT_COMPRESSED(ending=ending, format=compression.name))
        known = os.fstat(file.fileno())
        if not _is_intact(path, name, known.st_mtime_ns, known.st_size):
            raise Invalid(DAMAGED(format=compression.name))
        yield stack.enter_context(_decompressed(file, compression.name))


@lru_cache(maxsize=256)
def _is_intact(path: Path, name: str, _modified: int, _size: int) -> bool:
    """Whether the first MAX_VERIFIED_BYTES can be unpacked.

    The formats have checksums at the end of a block or file, so damage before is shown otherwise.
    """
    compression = _compression(name)
    with _open(path) as file, _decompressed(file, compression.name if compression else "") as data:
        stream, left = _Checked(data, name), MAX_VERIFIED_BYTES
        try:
            while left > 0 and (chunk := stream.read(READ_CHUNK_BYTES)):
                left -= len(chunk)
        except Invalid:
            return False
    return True


def _compression(name: str) -> _Compression | None:
    stem, _, ending = name.lower().rpartition(".")
    return COMPRESSIONS.get(ending) if stem else None


def _decompressed(file: BinaryIO, format: str) -> Any:
    if format == "gzip":
        return gzip.GzipFile(fileobj=file)
    if format == "bzip2":
        return bz2.BZ2File(file)
    if format == "xz":
        return lzma.LZMAFile(file)
    import pyarrow  # only for this; it takes a third of a second

    return pyarrow.CompressedInputStream(pyarrow.PythonFile(file, mode="r"), "zstd")


def _read(file: BinaryIO, name: str, size: int) -> bytes:
    """Read `size` bytes, or fewer at the end. Raises Invalid if compressed data are damaged."""
    stream, chunks = _Checked(file, name), []
    while size > 0 and (chunk := stream.read(size)):
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


class _Checked(io.RawIOBase):
    """A stream whose errors of reading and unpacking are Invalid."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._compression = _compression(name)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
            if self._compression is None:
                raise Invalid(NOT_READABLE()) from error
            raise Invalid(DAMAGED(format=self._compression.name)) from error

    read1 = read


def _encoding(head: bytes) -> str:
    """Return the encoding of a text that starts with `head`. Raises Invalid for other content."""
    if not head:
        raise Invalid(EMPTY())
    signed = next((SIGNATURES[start] for start in SIGNATURES if head.startswith(start)), "")
    unsigned = utf16(head) if len(head) >= MIN_UTF16_BYTES else ""
    encoding = signed or unsigned or "utf-8"
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    if "\0" in text or len(CONTROL.findall(text)) > MAX_CONTROL_SHARE * len(text):
        raise Invalid(BINARY())
    if text.count(REPLACEMENT) > MAX_REPLACED_SHARE * len(text):
        raise Invalid(NOT_UTF8())
    return encoding
