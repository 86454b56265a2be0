"""Checks of the protein database, and its conversion for the search."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ms_report.ending import InputProblem

DECOYS = ("decoy_", "rev_", "reverse_", "xxx_", "###rev###")
LETTERS = frozenset("ACDEFGHIKLMNPQRSTVWYBJOUXZ")
NUCLEOTIDES = frozenset("ACGTUN")

Entry = tuple[str, str, str]  # accession, description, sequence


def entries(path: str | Path, name: str) -> Iterator[Entry]:
    """Yield the proteins of a FASTA file, plain or gzipped. Raises InputProblem."""
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    opener = gzip.open if packed else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            yield from _entries(file, name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputProblem(
            f"{name} is damaged: its gzip data are truncated or corrupt. Upload it again."
        ) from error
    except UnicodeDecodeError as error:
        raise InputProblem(f"{name} is not a FASTA file: it is not UTF-8 text.") from error


def _entries(file: TextIO, name: str) -> Iterator[Entry]:
    header, letters = "", list[str]()
    for number, line in enumerate(file, start=1):
        text = line.strip()
        if text.startswith(">"):
            if header:
                yield _entry(header, letters, name)
            header, letters = text[1:].strip(), []
            if not header:
                raise InputProblem(f"{name}, line {number}: the header has no identifier.")
        elif text:
            if not header:
                raise InputProblem(
                    f"{name} is not a FASTA file: line {number} comes before the first header."
                )
            letters.append(_residues(text, name, number))
    if header:
        yield _entry(header, letters, name)


def _entry(header: str, letters: list[str], name: str) -> Entry:
    accession, _, description = header.partition(" ")
    if not any(letters):
        raise InputProblem(f"{name}: protein {accession} has no sequence.")
    return accession, description.strip(), "".join(letters)


def _residues(text: str, name: str, number: int) -> str:
    residues = text.upper().replace("*", "").replace(" ", "")
    if strange := sorted(set(residues) - LETTERS):
        raise InputProblem(f"{name}, line {number}: {strange[0]!r} is not an amino acid.")
    return residues


def prepare(source: str | Path, name: str, target: str | Path) -> int:
    """Write the database to search and return its number of proteins. Raises InputProblem."""
    seen, letters = set[str](), set[str]()
    with open(target, "w", encoding="utf-8") as file:
        for accession, description, sequence in entries(source, name):
            if accession in seen:
                raise InputProblem(
                    f"{name}: the identifier {accession} occurs twice. Identifiers must be unique."
                )
            if accession.lower().startswith(DECOYS):
                raise InputProblem(
                    f"{name} already contains decoys, such as {accession}. Remove them; the search "
                    "generates decoys."
                )
            seen.add(accession)
            letters.update(sequence)
            file.write(f">{accession} {description}\n{sequence}\n")
    if not seen:
        raise InputProblem(f"{name} contains no proteins.")
    if letters <= NUCLEOTIDES:
        raise InputProblem(
            f"{name} contains nucleotide sequences, but the search requires proteins."
        )
    return len(seen)
