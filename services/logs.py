"""Reads log files, which may be long: their last lines, and lines that contain given words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_MATCHES = 500  # lines
MAX_LINE_BYTES = 2000  # returned of a line


@dataclass(frozen=True)
class Match:
    """A line of a log that contains the words."""

    number: int  # from 1
    text: str


@dataclass(frozen=True)
class Matches:
    """The last lines that contain the words, and the number of all of them."""

    lines: Sequence[Match]
    total: int


def search(path: Path, words: str, limit: int = MAX_MATCHES) -> Matches:
    """Find the lines of a text file that contain the text `words`, ignoring case.

    Reads the file line by line; bytes that are not UTF-8 are replaced.
    """
    folded = words.casefold()
    lines: list[Match] = []
    total = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if folded in raw.decode("utf-8", "replace").casefold():
                total += 1
                lines.append(
                    Match(number, raw[:MAX_LINE_BYTES].decode("utf-8", "replace").rstrip())
                )
                if len(lines) >= 2 * limit:
                    del lines[:-limit]
    return Matches(lines[-limit:], total)


def tail(path: Path, size: int = 65536) -> str:
    """Return the last `size` bytes of a text file, from the start of a line.

    Bytes that are not UTF-8 are replaced.
    """
    with path.open("rb") as file:
        start = max(0, file.seek(0, 2) - size)
        file.seek(start)
        text = file.read(size).decode("utf-8", "replace")
    return text.partition("\n")[2] if start else text
