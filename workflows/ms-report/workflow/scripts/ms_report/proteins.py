"""Checks of the protein database, and its conversion for the search."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from ms_report.ending import InputProblem
from ms_report.fasta_lines import printable, read_lines

DECOYS = ("decoy_", "xxx_", "###rev###")
# Proteins have such names too: Rev of HIV-1 is REV_HV1H2. An entry with one of these prefixes is a
# decoy if its protein is also in the database, under the rest of the name or reversed. So are all
# entries of a database without others, unless their names are in upper case like those of UniProt.
POSSIBLE_DECOYS = ("rev_", "reverse_")
LETTERS = frozenset("ACDEFGHIKLMNPQRSTVWYBJOUXZ")
NUCLEOTIDES = frozenset("ACGTUN")

Entry = tuple[str, str, str]  # accession, description, sequence


def entries(path: str | Path, name: str) -> Iterator[Entry]:
    """Yield the proteins of a FASTA file, plain or gzipped. Raises InputProblem."""
    try:
        yield from _entries(path, name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputProblem(
            f"{name} is damaged: its gzip data are truncated or corrupt. Upload it again."
        ) from error


def _entries(path: str | Path, name: str) -> Iterator[Entry]:
    header, letters = "", list[str]()
    for number, text in read_lines(path):
        if text.startswith(">"):
            if header:
                yield _entry(header, letters, name)
            header, letters = printable(text[1:]).strip(), []
            if not header:
                raise InputProblem(f"{name}, line {number}: the header has no identifier.")
        else:
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
    possible = dict[str, str]()  # sequences by accession
    sequences = set[int]()  # hash values, which need less memory
    with open(target, "w", encoding="utf-8") as file:
        for accession, description, sequence in entries(source, name):
            if accession in seen:
                raise InputProblem(
                    f"{name}: the identifier {accession} occurs twice. Identifiers must be unique."
                )
            if accession.lower().startswith(DECOYS):
                raise _contains_decoys(name, accession)
            if accession.lower().startswith(POSSIBLE_DECOYS):
                possible[accession] = sequence
            seen.add(accession)
            sequences.add(hash(sequence))
            letters.update(sequence)
            file.write(f">{accession} {description}\n{sequence}\n")
    if not seen:
        raise InputProblem(f"{name} contains no proteins.")
    if possible.keys() == seen and not all(map(str.isupper, possible)):
        raise _contains_decoys(name, next(iter(possible)))
    for accession, sequence in possible.items():
        if accession.partition("_")[2] in seen or hash(sequence[::-1]) in sequences:
            raise _contains_decoys(name, accession)
    if letters <= NUCLEOTIDES:
        raise InputProblem(
            f"{name} contains nucleotide sequences, but the search requires proteins."
        )
    return len(seen)


def _contains_decoys(name: str, accession: str) -> InputProblem:
    return InputProblem(
        f"{name} already contains decoys, such as {accession}. Remove them; the search generates "
        "decoys."
    )
