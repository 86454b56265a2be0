"""Checks and normalization of both inputs: valid letters and safe identifiers for MMseqs2."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sequence_search import fasta
from sequence_search.fasta import NUCLEOTIDE, PROTEIN, InputProblem, Record
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
    seen: dict[str, int] = field(default_factory=dict)

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
    write_normalized(queries, query_intake, "q", chunks[:used], query_names, shortest)
    for unused in chunks[used:]:
        unused.touch()
    notes = type_notes(program, query_type, database.detected)
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
) -> None:
    """Distribute the sequences of `source` over `parts`, and list their names in a table."""
    with ExitStack() as stack:
        files = [stack.enter_context(open(part, "w")) for part in parts]
        table = stack.enter_context(open(names, "w", encoding="utf-8"))
        next_part = fewest_letters_first(len(parts))
        for record, sequence in accepted(source, intake, shortest):
            key = f"{prefix}{intake.sequences:09d}"
            files[next_part(len(sequence))].write(f">{key}\n{fasta.wrapped(sequence)}\n")
            table.write(f"{key}\t{record.name}\t{len(sequence)}\t{record.description}\n")


def fewest_letters_first(parts: int) -> Callable[[int], int]:
    """Return a function that assigns a sequence, by its length, to the part with fewest letters."""
    loads = [0] * parts

    def assign(length: int) -> int:
        index = loads.index(min(loads))
        loads[index] += length
        return index

    return assign


def accepted(source: str | Path, intake: Intake, shortest: int = 0) -> Iterator[tuple[Record, str]]:
    """Yield the records of `source` with their normalized sequences, and count them in `intake`."""
    for record in fasta.read_records(source):
        cleaned = fasta.clean(record, intake.kind, intake.label)
        intake.sequences += 1
        reject_duplicate(record.name, intake)
        intake.letters += len(cleaned.sequence)
        intake.with_gaps += cleaned.gaps_removed > 0
        intake.with_stops += cleaned.stops_replaced > 0
        intake.too_short += len(cleaned.sequence) < shortest
        intake.too_long += len(cleaned.sequence) > MAX_NUCLEOTIDES
        yield record, cleaned.sequence


def reject_duplicate(name: str, intake: Intake) -> None:
    first = intake.seen.setdefault(name, intake.sequences)
    if first != intake.sequences:
        raise InputProblem(
            f"Sequences {first:,} and {intake.sequences:,} in {intake.label} have the same "
            f"identifier {fasta.shorten(name)!r}. Identifiers must be unique."
        )


def intake_notes(intake: Intake, program: str, shortest: int = 0) -> list[str]:
    """Return notes on one input for the readers of the results."""
    notes = []
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
