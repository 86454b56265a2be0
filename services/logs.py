"""Log files, which may be long: their last lines, and lines that hold given words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MOST = 500  # lines that are returned
LONGEST = 2000  # bytes of a line that are returned


@dataclass(frozen=True)
class Match:
    """A line of a log in which the words were found."""

    number: int  # from 1
    text: str


@dataclass(frozen=True)
class Found:
    """Where words were found: the last lines of those that hold them, and how many there are."""

    lines: Sequence[Match]
    total: int


def search(path: Path, words: str, most: int = MOST) -> Found:
    """The lines of a text file that hold `words` as they stand, in capitals or not.

    Reads the file line by line; what is no UTF-8 is replaced.
    """
    wanted = words.casefold()
    lines: list[Match] = []
    total = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if wanted in raw.decode("utf-8", "replace").casefold():
                total += 1
                lines.append(Match(number, raw[:LONGEST].decode("utf-8", "replace").rstrip()))
                if len(lines) >= 2 * most:
                    del lines[:-most]
    return Found(lines[-most:], total)


def tail(path: Path, size: int = 65536) -> str:
    """The last `size` bytes of a text file, from the start of a line; no UTF-8 is replaced."""
    with path.open("rb") as file:
        start = max(0, file.seek(0, 2) - size)
        file.seek(start)
        text = file.read(size).decode("utf-8", "replace")
    return text.partition("\n")[2] if start else text
