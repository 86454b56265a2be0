"""Looking for words in a log, which may be long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MOST = 500  # lines that are returned
LONGEST = 2000  # bytes of a line that are returned


@dataclass(frozen=True)
class Line:
    """A line of a log in which the words were found."""

    number: int  # from 1
    text: str


@dataclass(frozen=True)
class Found:
    """Where words were found: the last lines of those that hold them, and how many there are."""

    lines: Sequence[Line]
    total: int


def search(path: Path, words: str, most: int = MOST) -> Found:
    """The lines of a text file that hold `words` as they stand, in capitals or not.

    Reads the file line by line; what is no UTF-8 is replaced.
    """
    wanted = words.casefold()
    lines: list[Line] = []
    total = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if wanted in raw.decode("utf-8", "replace").casefold():
                total += 1
                lines.append(Line(number, raw[:LONGEST].decode("utf-8", "replace").rstrip()))
                if len(lines) >= 2 * most:
                    del lines[:-most]
    return Found(lines[-most:], total)
