"""The protein database: checked, and written as the search wants it."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ms_report.ending import Unfit

DECOYS = ("decoy_", "rev_", "reverse_", "xxx_", "###rev###")
LETTERS = frozenset("ACDEFGHIKLMNPQRSTVWYBJOUXZ")
NUCLEOTIDES = frozenset("ACGTUN")

Entry = tuple[str, str, str]  # accession, description, sequence


def entries(path: str | Path, name: str) -> Iterator[Entry]:
    """The proteins of a FASTA file, plain or gzipped. Raises Unfit with the line."""
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    opener = gzip.open if packed else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            yield from _entries(file, name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Unfit(f"{name} is damaged: its gzip data end early or are corrupt.") from error
    except UnicodeDecodeError as error:
        raise Unfit(f"{name} is not FASTA: it is not text in UTF-8.") from error


def _entries(file: TextIO, name: str) -> Iterator[Entry]:
    header, letters = "", list[str]()
    for number, line in enumerate(file, start=1):
        text = line.strip()
        if text.startswith(">"):
            if header:
                yield _entry(header, letters, name)
            header, letters = text[1:].strip(), []
            if not header:
                raise Unfit(f"{name}, line {number}: a header without an identifier.")
        elif text:
            if not header:
                raise Unfit(f"{name} is not FASTA: line {number} stands before any header.")
            letters.append(_residues(text, name, number))
    if header:
        yield _entry(header, letters, name)


def _entry(header: str, letters: list[str], name: str) -> Entry:
    accession, _, description = header.partition(" ")
    if not any(letters):
        raise Unfit(f"{name}: {accession} has no sequence.")
    return accession, description.strip(), "".join(letters)


def _residues(text: str, name: str, number: int) -> str:
    residues = text.upper().replace("*", "").replace(" ", "")
    if strange := sorted(set(residues) - LETTERS):
        raise Unfit(f"{name}, line {number}: {strange[0]!r} is no amino acid.")
    return residues


def prepare(source: str | Path, name: str, target: str | Path) -> int:
    """Writes the database to search; returns how many proteins it has. Raises Unfit."""
    seen, letters = set[str](), set[str]()
    with open(target, "w", encoding="utf-8") as file:
        for accession, description, sequence in entries(source, name):
            if accession in seen:
                raise Unfit(f"{name}: {accession} occurs twice; identifiers must be different.")
            if accession.lower().startswith(DECOYS):
                words = "Send it without; they are made by the search."
                raise Unfit(f"{name} holds decoys already, such as {accession}. {words}")
            seen.add(accession)
            letters.update(sequence)
            file.write(f">{accession} {description}\n{sequence}\n")
    if not seen:
        raise Unfit(f"{name} holds no proteins.")
    if letters <= NUCLEOTIDES:
        raise Unfit(f"{name} holds nucleotides; the search needs proteins.")
    return len(seen)
