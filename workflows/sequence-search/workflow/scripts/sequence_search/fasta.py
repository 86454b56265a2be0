"""Tolerant reading of FASTA, with a clear message for each problem."""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

PROTEIN = "protein"
NUCLEOTIDE = "nucleotide"

NUCLEOTIDES = "ACGTUNRYSWKMBDHV"
AMINO_ACIDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALPHABETS = {NUCLEOTIDE: NUCLEOTIDES, PROTEIN: AMINO_ACIDS}

# Number of letters examined to distinguish nucleotides from proteins, and the minimum fraction of
# A, C, G, T, U and N in nucleotides. Proteins have less than a third of that.
SAMPLE_LETTERS = 1_000_000
NUCLEOTIDE_SHARE = 0.9

GAPS = str.maketrans("", "", "-. \t\r\n")
FOREIGN_FORMATS = {
    b"PK\x03\x04": "a ZIP archive or an Office file",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"%PDF": "a PDF file",
}


class InputProblem(ValueError):
    """The input cannot be searched. The message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class Record:
    """One FASTA entry: first word of the header, rest of the header, and letters of the file."""

    name: str
    description: str
    sequence: str


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A normalized sequence, and how many characters were removed or replaced."""

    sequence: str
    gaps_removed: int = 0
    stops_replaced: int = 0


def read_records(path: str | Path) -> Iterator[Record]:
    """Yield the entries of a FASTA file, plain or gzipped (detected by content).

    Raises InputProblem.
    """
    label = Path(path).name
    reject_foreign_format(path, label)
    empty = True
    try:
        with open_text(path) as lines:
            for record in parse(lines, label):
                empty = False
                yield record
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputProblem(
            f"{label} is damaged: its gzip data are truncated or corrupt. Upload it again."
        ) from error
    if empty:
        raise InputProblem(f"{label} contains no sequences.")


def open_text(path: str | Path) -> TextIO:
    with open(path, "rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    opener = gzip.open if gzipped else open
    return opener(path, "rt", encoding="utf-8", errors="replace")


def reject_foreign_format(path: str | Path, label: str) -> None:
    with open(path, "rb") as file:
        start = file.read(8)
    for magic, what in FOREIGN_FORMATS.items():
        if start.startswith(magic):
            raise InputProblem(f"{label} is not a FASTA file: it is {what}.")


def parse(lines: Iterable[str], label: str) -> Iterator[Record]:
    """Yield the entries in `lines`, without blank lines and old-style `;` comments."""
    header, parts, number = None, [], 0
    for raw in lines:
        line = raw.strip().lstrip("\ufeff")
        if not line or line.startswith(";"):
            continue
        if line.startswith(">"):
            if header is not None:
                yield make_record(header, parts, number, label)
            header, parts, number = line[1:], [], number + 1
        elif header is None:
            raise InputProblem(not_fasta(line, label))
        else:
            parts.append(line)
    if header is not None:
        yield make_record(header, parts, number, label)


def make_record(header: str, parts: list[str], number: int, label: str) -> Record:
    words = printable(header).split()
    if not words:
        raise InputProblem(f"Sequence {number} in {label} has no identifier after '>'.")
    return Record(words[0], " ".join(words[1:]), "".join(parts))


def printable(text: str) -> str:
    """Return `text` with control characters (tabs, Ctrl-A of NCBI) replaced by blanks."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def not_fasta(line: str, label: str) -> str:
    if line.startswith("@"):
        return f"{label} appears to be a FASTQ file. Convert the reads to FASTA first."
    return (
        f"{label} is not a FASTA file: it starts with {shorten(printable(line))!r} instead of a "
        "header line with '>'."
    )


def shorten(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def detect_type(records: Iterable[Record]) -> str:
    """Return PROTEIN or NUCLEOTIDE, from the letters of the first sequences."""
    total = nucleotides = 0
    for record in records:
        letters = record.sequence.translate(GAPS).upper()
        total += len(letters)
        nucleotides += sum(letters.count(letter) for letter in "ACGTUN")
        if total >= SAMPLE_LETTERS:
            break
    return NUCLEOTIDE if total and nucleotides / total >= NUCLEOTIDE_SHARE else PROTEIN


def clean(record: Record, kind: str, label: str) -> Cleaned:
    """Return the sequence in upper case and without gaps.

    U is replaced by T in nucleotides, `*` by X in proteins; `*` at the end of a protein is its stop
    codon and removed. Raises InputProblem for any other character.
    """
    letters = record.sequence.translate(GAPS).upper()
    gaps = len(record.sequence) - len(letters)
    stops = 0
    if kind == PROTEIN:
        letters = letters.rstrip("*")
        stops = letters.count("*")
        letters = letters.replace("*", "X")
    else:
        letters = letters.replace("U", "T")
    reject_letters(record.name, letters, kind, label)
    return Cleaned(letters, gaps, stops)


def reject_letters(name: str, letters: str, kind: str, label: str) -> None:
    if not letters:
        raise InputProblem(f"Sequence {shorten(name)!r} in {label} is empty.")
    strange = sorted(set(letters) - set(ALPHABETS[kind]))
    if not strange:
        return
    shown = ", ".join(repr(letter) for letter in strange[:5])
    more = " and others" if len(strange) > 5 else ""
    raise InputProblem(
        f"Sequence {shorten(name)!r} in {label} contains {shown}{more}: not allowed in "
        f"{kind} sequences."
    )


def wrapped(sequence: str, width: int = 60) -> str:
    return re.sub(f"(.{{{width}}})(?=.)", r"\1\n", sequence)
