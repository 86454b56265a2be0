"""Sequences, and the alignments in the report of sequence-search."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

BASES = "TCAG"
AMINO_ACIDS = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
CODE = {
    first + second + third: AMINO_ACIDS[16 * i + 4 * j + k]
    for i, first in enumerate(BASES)
    for j, second in enumerate(BASES)
    for k, third in enumerate(BASES)
}


def reverse_complement(letters: str) -> str:
    return letters[::-1].translate(str.maketrans("ACGT", "TGCA"))


def between(letters: str, start: int, end: int) -> str:
    """Return the letters from `start` to `end`, 1-based; on the other strand if start > end."""
    if start <= end:
        return letters[start - 1 : end]
    return reverse_complement(letters[end - 1 : start])


def translate(letters: str) -> str:
    """Translate with the standard genetic code."""
    return "".join(CODE[letters[at : at + 3]] for at in range(0, len(letters), 3))


def embedded(report: str) -> dict[str, Any]:
    """Return the data embedded in a report."""
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', report, re.DOTALL
    )
    data: dict[str, Any] = json.loads(text)
    return data


def aligned_rows(
    hits: Sequence[dict[str, str]], report: str
) -> Iterator[tuple[dict[str, str], str, str]]:
    """Yield each row of the hits table with the two rows of its alignment in the report."""
    entries = [hit for query in embedded(report)["queries"] for hit in query[4]]
    for hit, entry in zip(hits, entries, strict=True):
        yield hit, entry[16], entry[17]
