"""Checks of the protein database, and its conversion for the search."""

import gzip
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
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
IGNORED = str.maketrans("", "", "*-. ")  # stop codons, gaps of an alignment
SHOWN_LEFT_OUT = 5  # reasons of proteins that are left out

Entry = tuple[str, str, str]  # accession, description, sequence


@dataclass
class Intake:
    """What is known about a database when it is written for the search."""

    proteins: int = 0
    left_out: int = 0
    reasons: list[str] = field(default_factory=list)  # of the first proteins that are left out

    def leave_out(self, reason: str) -> None:
        self.left_out += 1
        if len(self.reasons) < SHOWN_LEFT_OUT:
            self.reasons.append(reason)

    def notes(self, name: str) -> list[str]:
        """Return the notes for readers of the report."""
        if not self.left_out:
            return []
        count = f"{self.left_out:,} proteins" if self.left_out > 1 else "1 protein"
        verb = "were" if self.left_out > 1 else "was"
        more = self.left_out - len(self.reasons)
        end = f" {more:,} more were left out for such reasons." if more else ""
        return [f"{count} in {name} {verb} left out. {' '.join(self.reasons)}{end}"]


def entries(path: str | Path, name: str) -> Iterator[Entry]:
    """Yield the entries of a FASTA file, plain or gzipped, as they are. Raises InputProblem."""
    try:
        yield from _entries(path, name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputProblem(
            f"{name} is damaged: its gzip data are truncated or corrupt. Upload it again."
        ) from error


def _entries(path: str | Path, name: str) -> Iterator[Entry]:
    header, letters = None, list[str]()
    for number, text in read_lines(path):
        if text.startswith(">"):
            if header is not None:
                yield _entry(header, letters)
            header, letters = printable(text[1:]).strip(), []
        elif header is None:
            raise InputProblem(
                f"{name} is not a FASTA file: line {number} comes before the first header."
            )
        else:
            letters.append(text.upper().translate(IGNORED))
    if header is not None:
        yield _entry(header, letters)


def _entry(header: str, letters: list[str]) -> Entry:
    accession, _, description = header.partition(" ")
    return accession, description.strip(), "".join(letters)


def prepare(source: str | Path, name: str, target: str | Path) -> Intake:
    """Write the database to search, without the proteins that cannot be searched.

    Raises InputProblem if no protein is left, or if the database is not one of target proteins.
    """
    intake, seen, letters = Intake(), set[str](), set[str]()
    possible = dict[str, str]()  # sequences by accession
    sequences = set[int]()  # hash values, which need less memory
    with open(target, "w", encoding="utf-8") as file:
        for number, (accession, description, sequence) in enumerate(entries(source, name), 1):
            if accession.lower().startswith(DECOYS):
                raise _contains_decoys(name, accession)
            if reason := _reason_to_leave_out(number, accession, sequence, seen):
                intake.leave_out(reason)
                continue
            if accession.lower().startswith(POSSIBLE_DECOYS):
                possible[accession] = sequence
            seen.add(accession)
            sequences.add(hash(sequence))
            letters.update(sequence)
            file.write(f">{accession} {description}\n{sequence}\n")
    intake.proteins = len(seen)
    if not seen:
        reasons = f" {' '.join(intake.reasons)}" if intake.reasons else ""
        raise InputProblem(f"{name} contains no proteins that can be searched.{reasons}")
    if possible.keys() == seen and not all(map(str.isupper, possible)):
        raise _contains_decoys(name, next(iter(possible)))
    for accession, sequence in possible.items():
        if accession.partition("_")[2] in seen or hash(sequence[::-1]) in sequences:
            raise _contains_decoys(name, accession)
    if letters <= NUCLEOTIDES:
        raise InputProblem(
            f"{name} contains nucleotide sequences, but the search requires proteins."
        )
    return intake


def _reason_to_leave_out(number: int, accession: str, sequence: str, seen: Container[str]) -> str:
    """Return why an entry cannot be searched; "" if it can. The first one has the number 1."""
    if not accession:
        return f"Protein {number:,} has no identifier."
    if not sequence:
        return f"Protein {accession} has no sequence."
    if strange := sorted(set(sequence) - LETTERS):
        return f"Protein {accession} contains {strange[0]!r}, which is not an amino acid."
    if accession in seen:
        return f"The identifier {accession} occurs more than once; its first protein was searched."
    return ""


def _contains_decoys(name: str, accession: str) -> InputProblem:
    return InputProblem(
        f"{name} already contains decoys, such as {accession}. Remove them; the search generates "
        "decoys."
    )
