"""Names and values above a table, such as the project and the person who submitted it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: "Project: X", with an ASCII or a fullwidth colon. A clock time or an address is not such a pair.
PAIR = re.compile(r"(?P<name>[^:\uff1a]{1,60}?)\s*[:\uff1a](?!//)\s*(?P<value>.*)", re.DOTALL)
NAME_ONLY = re.compile(r"(?P<name>[^:\uff1a]{1,60}?)\s*[:\uff1a]")
NO_NAME = re.compile(r"[\d\s.-]*")
#: What stands between several pairs in one cell, from the most certain to the least.
SEPARATORS = tuple(map(re.compile, (r"[;\uff1b|]", r"[,\uff0c、]", r"\s{2,}|\t", r"\s+")))


def read_metadata(rows: Iterable[Sequence[str]]) -> dict[str, str]:
    """Return the names and values in rows of texts without empty ones.

    A row has a name and its value in two cells, or pairs such as "Project: X", one or several in a
    cell. Other texts are the title of the table. Of a repeated name the first is used.
    """
    metadata: dict[str, str] = {}
    for row in rows:
        cells = [row[0].lstrip("# "), *row[1:]] if row else []
        pairs = _pairs(cells) or _name_and_value(cells)
        for words in pairs:
            name, value = (" ".join(part.split()) for part in words)
            if name and value:
                metadata.setdefault(name, value)
            elif name:
                title = metadata.get("title")
                metadata["title"] = f"{title} {name}" if title else name
    return metadata


def _pairs(cells: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of a row in which every name has a colon; empty for any other row."""
    pairs: list[tuple[str, str]] = []
    waiting = ""  # a name whose value is in the next cell
    for cell in cells:
        if waiting:
            pairs.append((waiting, cell))
            waiting = ""
        elif match := NAME_ONLY.fullmatch(cell):
            waiting = match["name"]
        elif split := _split(cell):
            pairs += split
        elif pairs:  # the value of the last pair goes on in further cells
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]} {cell}")
        else:
            return []
    return [*pairs, (waiting, "")] if waiting else pairs


def _split(cell: str) -> list[tuple[str, str]]:
    """Return the pairs in one cell; empty where it has none."""
    for separator in SEPARATORS:
        parts = [part for part in separator.split(cell) if part.strip()]
        pairs = [_pair(part) for part in parts]
        if len(pairs) > 1 and all(pairs):
            return [pair for pair in pairs if pair]
    pair = _pair(cell)
    return [pair] if pair else []


def _pair(text: str) -> tuple[str, str] | None:
    match = PAIR.fullmatch(text.strip())
    if match is None or NO_NAME.fullmatch(match["name"]) or not match["value"].strip():
        return None
    return match["name"].strip(), match["value"].strip()


def _name_and_value(cells: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pair of a name in the first cell and a value in the others."""
    return [(cells[0].strip(), " ".join(cells[1:]).strip())] if cells else []
