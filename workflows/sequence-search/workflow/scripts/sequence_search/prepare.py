"""Checks and normalization of both inputs: valid letters and safe identifiers for MMseqs2."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sequence_search import fasta
from sequence_search.fasta import NUCLEOTIDE, PROTEIN, InputProblem, Record, SequenceProblem
from sequence_search.plan import (
    PROGRAMS,
    Plan,
    Side,
    choose_program,
    shortest_searchable,
    type_notes,
)

# In nucleotide searches, MMseqs2 splits longer sequences into pieces of this length. Its default of
# 10,000 would break most alignments of genomes.
MAX_NUCLEOTIDES = 1_000_000

# MMseqs2 does not search longer protein queries: its ungapped prefilter crashes, and its k-mer
# prefilter finds nothing.
MAX_PROTEIN_QUERY = 65_536

SHOWN_LEFT_OUT = 5  # reasons of sequences that are left out

# Each part builds the k-mer table of the database (seconds, 0.9 GB), too much for fewer queries.
MIN_PART_QUERIES = 10


@dataclass
class Intake:
    """Counts of one input while it is read. Lengths are in letters."""

    label: str
    kind: str
    sequences: int = 0
    letters: int = 0
    with_gaps: int = 0
    with_stops: int = 0
    too_short: int = 0
    too_long: int = 0
    left_out: int = 0
    reasons: list[str] = field(default_factory=list)  # of the first sequences that are left out
    letters_seen: set[str] = field(default_factory=set)
    seen: dict[str, int] = field(default_factory=dict)  # numbers by identifier

    def leave_out(self, problem: SequenceProblem) -> None:
        """Count a sequence that cannot be searched, and keep the reason of the first ones."""
        self.left_out += 1
        if len(self.reasons) < SHOWN_LEFT_OUT:
            self.reasons.append(str(problem).replace(f" in {self.label}", "", 1))

    def side(self) -> Side:
        return Side(self.label, self.kind, self.sequences, self.letters)


@dataclass(frozen=True, slots=True)
class Database:
    """Properties of a database, stored with its files.

    Databases with the same content are shared: `file` is the name at the first use.
    """

    file: str
    sha256: str  # of the input file
    detected: str
    type: str  # that is searched
    sequences: int
    letters: int
    with_gaps: int
    with_stops: int
    too_long: int
    left_out: int
    reasons: list[str]
    only_codes: bool  # proteins, but all letters are IUPAC codes of nucleotides too
    mmseqs_version: str

    def write(self, path: str | Path) -> None:
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> "Database":
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))

    def intake(self, label: str) -> "Intake":
        """Return the counts of this database under the file name `label`."""
        return Intake(
            label,
            self.type,
            self.sequences,
            self.letters,
            self.with_gaps,
            self.with_stops,
            too_long=self.too_long,
            left_out=self.left_out,
            reasons=self.reasons,
        )


def read_database(
    source: str | Path, read_as: str, cleaned: Path, names: Path, mmseqs_version: str
) -> Database:
    """Write the normalized database and its names. Raises InputProblem.

    `read_as` is protein, nucleotide, or auto to detect the type.
    """
    detected = fasta.detect_type(fasta.read_records(source))
    if (read_as, detected) == (NUCLEOTIDE, PROTEIN):
        raise InputProblem(
            "A nucleotide database is required, but the file contains proteins. Choose another "
            "program or auto."
        )
    intake = Intake(Path(source).name, detected if read_as == "auto" else read_as)
    write_normalized(source, intake, "d", [cleaned], names)
    with open(source, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Database(
        file=intake.label,
        sha256=digest,
        detected=detected,
        type=intake.kind,
        sequences=intake.sequences,
        letters=intake.letters,
        with_gaps=intake.with_gaps,
        with_stops=intake.with_stops,
        too_long=intake.too_long,
        left_out=intake.left_out,
        reasons=intake.reasons,
        only_codes=has_only_codes(intake),
        mmseqs_version=mmseqs_version,
    )


def prepare(
    queries: str | Path,
    database: Database,
    label: str,
    requested: str,
    settings: dict,
    chunks: list[Path],
    query_names: Path,
) -> Plan:
    """Write the normalized queries and return the plan. Raises InputProblem.

    `label` is the file name of the database in this run.
    """
    query_type = fasta.detect_type(fasta.read_records(queries))
    program = choose_program(requested, query_type, database.detected)
    shortest = shortest_searchable(program, database.letters, settings)
    query_intake = Intake(Path(queries).name, PROGRAMS[program].query_type)
    database_intake = database.intake(label)
    used = parts_for(sum(1 for _ in fasta.read_records(queries)), len(chunks))
    longest = MAX_PROTEIN_QUERY if query_intake.kind == PROTEIN else None
    write_normalized(queries, query_intake, "q", chunks[:used], query_names, shortest, longest)
    for unused in chunks[used:]:
        unused.touch()
    notes = type_notes(program, query_type, database.detected)
    if requested == "auto":
        notes += code_notes(query_intake.label, has_only_codes(query_intake))
        notes += code_notes(label, database.only_codes)
    notes += intake_notes(query_intake, program, shortest) + intake_notes(database_intake, program)
    return Plan(
        program,
        query_intake.side(),
        database_intake.side(),
        settings,
        database.mmseqs_version,
        notes,
    )


def parts_for(queries: int, maximum: int) -> int:
    """Return the number of parts of the queries, at most `maximum`."""
    return max(1, min(maximum, queries // MIN_PART_QUERIES))


def write_normalized(
    source: str | Path,
    intake: Intake,
    prefix: str,
    parts: list[Path],
    names: Path,
    shortest: int = 0,
    longest: int | None = None,
) -> None:
    """Distribute the sequences of `source` over `parts`, and list their names in a table.

    Sequences that cannot be searched are left out. Raises InputProblem if no sequence is left.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(open(part, "w")) for part in parts]
        table = stack.enter_context(open(names, "w", encoding="utf-8"))
        next_part = fewest_letters_first(len(parts))
        for record, sequence in accepted(source, intake, shortest, longest):
            key = f"{prefix}{intake.sequences:09d}"
            files[next_part(len(sequence))].write(f">{key}\n{fasta.wrapped(sequence)}\n")
            table.write(f"{key}\t{record.name}\t{len(sequence)}\t{record.description}\n")
    if not intake.sequences:
        raise InputProblem(
            f"No sequence in {intake.label} can be searched. {' '.join(intake.reasons)}"
        )


def fewest_letters_first(parts: int) -> Callable[[int], int]:
    """Return a function that assigns a sequence, by its length, to the part with fewest letters."""
    loads = [0] * parts

    def assign(length: int) -> int:
        index = loads.index(min(loads))
        loads[index] += length
        return index

    return assign


def accepted(
    source: str | Path, intake: Intake, shortest: int = 0, longest: int | None = None
) -> Iterator[tuple[Record, str]]:
    """Yield the records of `source` with their normalized sequences, and count them in `intake`."""
    for number, record in enumerate(fasta.read_records(source), start=1):
        try:
            reject_nameless(record, number, intake.label)
            reject_duplicate(record.name, number, intake)
            cleaned = fasta.clean(record, intake.kind, intake.label)
            reject_long(record, len(cleaned.sequence), longest, intake.label)
        except SequenceProblem as problem:
            intake.leave_out(problem)
            continue
        if len(intake.letters_seen) < len(fasta.AMINO_ACIDS):
            intake.letters_seen.update(cleaned.sequence)
        intake.seen[record.name] = number
        intake.sequences += 1
        intake.letters += len(cleaned.sequence)
        intake.with_gaps += cleaned.gaps_removed > 0
        intake.with_stops += cleaned.stops_replaced > 0
        intake.too_short += len(cleaned.sequence) < shortest
        intake.too_long += len(cleaned.sequence) > MAX_NUCLEOTIDES
        yield record, cleaned.sequence


def reject_nameless(record: Record, number: int, label: str) -> None:
    if not record.name:
        raise SequenceProblem(f"Sequence {number:,} in {label} has no identifier after '>'.")


def reject_long(record: Record, length: int, longest: int | None, label: str) -> None:
    if longest is not None and length > longest:
        raise SequenceProblem(
            f"Sequence {fasta.shorten(record.name)!r} in {label} has {length:,} letters; MMseqs2 "
            f"searches protein queries of up to {longest:,}."
        )


def has_only_codes(intake: Intake) -> bool:
    """Return whether proteins have only letters that are IUPAC codes of nucleotides too."""
    return intake.kind == PROTEIN and intake.letters_seen <= set(fasta.NUCLEOTIDES)


def code_notes(label: str, only_codes: bool) -> list[str]:
    if not only_codes:
        return []
    return [
        f"All letters in {label} are IUPAC codes of nucleotides, but it was searched as protein. "
        "Choose a program if these are nucleotides."
    ]


def reject_duplicate(name: str, number: int, intake: Intake) -> None:
    if name in intake.seen:
        raise SequenceProblem(
            f"Sequence {number:,} in {intake.label} has the identifier {fasta.shorten(name)!r} of "
            f"sequence {intake.seen[name]:,}."
        )


def intake_notes(intake: Intake, program: str, shortest: int = 0) -> list[str]:
    """Return notes on one input for the readers of the results."""
    notes = []
    if intake.left_out:
        more = intake.left_out - len(intake.reasons)
        notes.append(
            f"{counted(intake.left_out)} in {intake.label} "
            f"{'was' if intake.left_out == 1 else 'were'} left out. {' '.join(intake.reasons)}"
            + (f" {more:,} more were left out for such reasons." if more else "")
        )
    if intake.with_gaps:
        notes.append(f"Gaps were removed from {counted(intake.with_gaps)} in {intake.label}.")
    if intake.with_stops:
        notes.append(
            f"Stop codons (*) within {counted(intake.with_stops)} in {intake.label} "
            "were replaced by X."
        )
    if intake.too_short:
        notes.append(
            f"{counted(intake.too_short)} in {intake.label} "
            f"{'is' if intake.too_short == 1 else 'are'} shorter than {shortest} letters and "
            "cannot have hits with these settings."
        )
    if intake.too_long and program == "blastn" and intake.kind == NUCLEOTIDE:
        notes.append(
            f"{counted(intake.too_long)} in {intake.label} longer than {MAX_NUCLEOTIDES:,} nt "
            "were split into pieces of that length; hits end at the borders of the pieces."
        )
    return notes


def counted(number: int) -> str:
    return f"{number:,} sequence{'' if number == 1 else 's'}"
