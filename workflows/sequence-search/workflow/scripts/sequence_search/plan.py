"""What is searched against what: the program, the settings, and what the data look like."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sequence_search.fasta import NUCLEOTIDE, PROTEIN, InputProblem


@dataclass(frozen=True, slots=True)
class Program:
    """A BLAST program: what it takes, and the `--search-type` of MMseqs2 that does the same."""

    query_type: str
    database_type: str
    search_type: int

    @property
    def translated(self) -> bool:
        return self.search_type == 2


PROGRAMS = {
    "blastp": Program(PROTEIN, PROTEIN, 1),
    "blastn": Program(NUCLEOTIDE, NUCLEOTIDE, 3),
    "blastx": Program(NUCLEOTIDE, PROTEIN, 2),
    "tblastn": Program(PROTEIN, NUCLEOTIDE, 2),
    "tblastx": Program(NUCLEOTIDE, NUCLEOTIDE, 2),
}
AUTOMATIC = {
    (program.query_type, program.database_type): name
    for name, program in PROGRAMS.items()
    if name != "tblastx"
}

# Shorter proteins hold too few k-mers of the 6-letter spaced seed to find even themselves.
SHORTEST_PROTEIN = 12

HIGHEST_SENSITIVITY = 7.5


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two inputs: file name, kind of sequence, how many sequences and letters."""

    file: str
    type: str
    sequences: int
    letters: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A search that can be carried out; written by `prepare`, read by all later steps."""

    program: str
    queries: Side
    database: Side
    settings: dict
    mmseqs_version: str
    notes: list[str] = field(default_factory=list)

    @property
    def exhaustive(self) -> bool:
        return exhaustive(self.program, self.database.letters, self.settings)

    @property
    def nucleotides_compared(self) -> bool:
        return self.program == "blastn"

    @property
    def query_translated(self) -> bool:
        return self.program in ("blastx", "tblastx")

    @property
    def target_translated(self) -> bool:
        return self.program in ("tblastn", "tblastx")

    def write(self, path: str | Path) -> None:
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> "Plan":
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        stored["queries"] = Side(**stored["queries"])
        stored["database"] = Side(**stored["database"])
        return cls(**stored)


def choose_program(requested: str, query_type: str, database_type: str) -> str:
    """The program to run, by the kinds of sequence that were found unless one is requested.

    A protein file where the requested program reads nucleotides is an InputProblem. The reverse is
    not: every nucleotide letter is also an amino acid.
    """
    if requested == "auto":
        return AUTOMATIC[query_type, database_type]
    program = PROGRAMS[requested]
    for what, needed, found in (
        ("queries", program.query_type, query_type),
        ("a database", program.database_type, database_type),
    ):
        if needed == NUCLEOTIDE and found == PROTEIN:
            kind = f"nucleotide {what}" if what == "queries" else "a nucleotide database"
            raise InputProblem(
                f"{requested} needs {kind}, but the file holds protein sequences: choose "
                "another program or leave the choice to auto."
            )
    return requested


def type_notes(program: str, query_type: str, database_type: str) -> list[str]:
    """Where a requested program reads as proteins what looks like nucleotides."""
    chosen = PROGRAMS[program]
    pairs = (
        ("queries", chosen.query_type, query_type),
        ("database", chosen.database_type, database_type),
    )
    return [
        f"The {what} look like nucleotides but were read as proteins, as {program} asks for."
        if what == "queries"
        else f"The database looks like nucleotides but was read as proteins, as {program} asks for."
        for what, read_as, found in pairs
        if read_as == PROTEIN and found == NUCLEOTIDE
    ]


def exhaustive(program: str, letters: int, settings: dict) -> bool:
    """Whether each query is compared with every sequence of a database of so many letters.

    The k-mers that else choose what is aligned miss some relatives, and need tables that take
    MMseqs2 seconds to make, however small the database is.
    """
    if program == "blastn" or settings["sensitivity"] < HIGHEST_SENSITIVITY:
        return False
    frames = 2 if PROGRAMS[program].database_type == NUCLEOTIDE else 1  # six, of a third each
    return letters * frames <= settings["exhaustive_up_to"]


def shortest_searchable(program: str, letters: int, settings: dict) -> int:
    """Length below which a query cannot have hits in a database of so many letters."""
    if program == "blastn":
        return settings["word_size"]
    if PROGRAMS[program].query_type == NUCLEOTIDE:
        return 3 * settings["min_orf_codons"]
    return 1 if exhaustive(program, letters, settings) else SHORTEST_PROTEIN
