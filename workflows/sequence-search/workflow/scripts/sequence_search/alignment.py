"""Statistics of one pairwise alignment, computed from its two rows."""

from itertools import groupby
from operator import eq

COMPLEMENT = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")

# Pairs of different amino acids that score above zero in BLOSUM62 (Henikoff and Henikoff 1992).
SIMILAR_TO = {
    "A": "S", "B": "DENZ", "D": "ENZ", "E": "KQZ", "F": "WY", "H": "NY", "I": "LMV", "K": "QRZ",
    "L": "MV", "M": "V", "N": "S", "Q": "RZ", "S": "T", "W": "Y",
}  # fmt: skip
SIMILAR = frozenset(first + second for first, others in SIMILAR_TO.items() for second in others)
POSITIVE = SIMILAR | {pair[::-1] for pair in SIMILAR}


def reverse_complement(row: str) -> str:
    """Return the reverse complement of an aligned row, including its gaps."""
    return row[::-1].translate(COMPLEMENT)


def identities(query: str, target: str) -> int:
    return sum(map(eq, query, target))


def positives(query: str, target: str) -> int:
    """Return the number of columns that are identical or score above zero in BLOSUM62."""
    return sum(
        first == second or first + second in POSITIVE
        for first, second in zip(query, target, strict=True)
    )


def gap_openings(*rows: str) -> int:
    return sum(letter == "-" for row in rows for letter, _ in groupby(row))


def gap_columns(*rows: str) -> int:
    return sum(row.count("-") for row in rows)


def cigar(query: str, target: str) -> str:
    """Return the CIGAR with the target as reference. M: aligned, I: query only, D: target only."""
    kinds = (
        "D" if first == "-" else "I" if second == "-" else "M"
        for first, second in zip(query, target, strict=True)
    )
    return "".join(f"{len(list(run))}{kind}" for kind, run in groupby(kinds))


def midline(query: str, target: str, protein: bool) -> str:
    """Return the middle row as in BLAST: letter, `+` or blank for proteins, else `|` or blank."""
    return "".join(
        midline_letter(first, second, protein) for first, second in zip(query, target, strict=True)
    )


def midline_letter(first: str, second: str, protein: bool) -> str:
    if first == second:
        return first if protein else "|"
    return "+" if protein and first + second in POSITIVE else " "


def blocks(
    query: str, target: str, query_walk: "Walk", target_walk: "Walk", protein: bool, width: int = 60
) -> list[str]:
    """Return the alignment as in BLAST: blocks of three lines with positions at both ends."""
    middle = midline(query, target, protein)
    digits = max(query_walk.digits, target_walk.digits)
    lines = []
    for start in range(0, len(query), width):
        window = slice(start, start + width)
        first, last = query_walk.take(query[window])
        lines.append(f"Query  {first:>{digits}}  {query[window]}  {last}")
        lines.append(f"       {'':>{digits}}  {middle[window]}".rstrip())
        first, last = target_walk.take(target[window])
        lines.append(f"Sbjct  {first:>{digits}}  {target[window]}  {last}")
        lines.append("")
    return lines


class Walk:
    """Positions along one aligned row, 1-based.

    They decrease if `start` is above `end`, and change by `step` per letter.
    """

    def __init__(self, start: int, end: int, step: int = 1):
        self.position = start
        self.direction = -1 if start > end else 1
        self.step = step
        self.digits = len(str(max(start, end)))

    def take(self, letters: str) -> tuple[int, int]:
        """Return the first and last position of the next `letters`.

        If they are only gaps, both are the position before them.
        """
        residues = len(letters) - letters.count("-")
        first = self.position
        if not residues:
            return first - self.direction, first - self.direction
        self.position += self.direction * self.step * residues
        return first, self.position - self.direction
