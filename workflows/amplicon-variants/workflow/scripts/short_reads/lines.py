"""FASTQ with the line ends and characters that all tools read."""

import io
from typing import BinaryIO

READ_CHUNK_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINES_PER_READ = 4
NOT_ASCII = "\x7f"  # stands for a byte that is not ASCII; no tool writes this control character
TO_ASCII = bytes([*range(128), *[ord(NOT_ASCII)] * 128])


class TidyLines(io.RawIOBase):
    """The content of a FASTQ file with line feeds only and exactly one at its end.

    Removes a byte order mark and blank lines before the first and after the last read. Bytes that
    are not ASCII become NOT_ASCII. `changed` is True as soon as the content differs from the file.
    """

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self.source = source
        self.changed = False
        self.not_ascii = False
        self.started = False
        self.ended = False
        self.carriage_return = b""  # at the end of the last chunk
        self.line_feeds = 0  # before the last character that is not a line feed
        self.held = 0  # line feeds after it
        self.ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self.ready and not self.ended:
            self.ready = self.next_part()
        size = min(len(buffer), len(self.ready))
        buffer[:size] = self.ready[:size]
        self.ready = self.ready[size:]
        return size

    def next_part(self) -> bytes:
        chunk = self.source.read(READ_CHUNK_BYTES)
        self.ended = not chunk
        block = self.carriage_return + chunk
        self.carriage_return = b""
        if block.endswith(b"\r") and not self.ended:
            block, self.carriage_return = block[:-1], b"\r"
        text = self.with_line_feeds(block)
        if not self.started:
            text = self.without_start(text)
        body = text.rstrip(b"\n")
        part = b""
        if body:
            part = b"\n" * self.held + body
            self.line_feeds += part.count(b"\n")
            self.held = 0
        self.held += len(text) - len(body)
        return part + self.end() if self.ended else part

    def with_line_feeds(self, block: bytes) -> bytes:
        if b"\r" in block:
            self.changed = True
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not block.isascii() and self.started:
            self.changed = self.not_ascii = True
            block = block.translate(TO_ASCII)
        return block

    def without_start(self, block: bytes) -> bytes:
        text = block.removeprefix(BYTE_ORDER_MARK).lstrip()
        self.changed = self.changed or text != block
        self.started = bool(text)
        return self.with_line_feeds(text)

    def end(self) -> bytes:
        """Return the end of the last line, and the empty qualities of a last read without bases."""
        if not self.started:
            return b""
        lines = self.line_feeds + 1
        missing = 2 if lines % LINES_PER_READ == LINES_PER_READ - 1 else 1
        self.changed = self.changed or self.held != missing
        return b"\n" * missing
