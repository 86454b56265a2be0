"""The plan of a search: program, settings, and properties of both inputs."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sequence_search.fasta import NUCLEOTIDE, PROTEIN, InputProblem


@dataclass(frozen=True, slots=True)
class Program:
    """A BLAST program: its sequence types, and the equivalent `--search-type` of MMseqs2."""

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

# In letters. Shorter proteins have too few k-mers of the 6-letter spaced seed to find themselves.
MIN_PROTEIN_LETTERS = 12

MAX_SENSITIVITY = 7.5


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two inputs: file name, sequence type, numbers of sequences and letters."""

    file: str
    type: str
    sequences: int
    letters: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a search, written by the rule `prepare` and read by all later rules."""

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
    """Return the requested program, or for `auto` the one that fits the sequence types.

    Raises InputProblem for proteins where the requested program reads nucleotides. The reverse is
    allowed, because every nucleotide letter is also an amino acid letter.
    """
    if requested == "auto":
        return AUTOMATIC[query_type, database_type]
    program = PROGRAMS[requested]
    for side, required, detected in (
        ("nucleotide queries", program.query_type, query_type),
        ("a nucleotide database", program.database_type, database_type),
    ):
        if required == NUCLEOTIDE and detected == PROTEIN:
            raise InputProblem(
                f"{requested} requires {side}, but the file contains proteins. Choose another "
                "program or auto."
            )
    return requested


def type_notes(program: str, query_type: str, database_type: str) -> list[str]:
    """Return notes on inputs that are searched as proteins but appear to be nucleotides."""
    chosen = PROGRAMS[program]
    pairs = (
        ("queries", chosen.query_type, query_type),
        ("database sequences", chosen.database_type, database_type),
    )
    return [
        f"The {side} appear to be nucleotides but were searched as proteins ({program})."
        for side, read_as, detected in pairs
        if read_as == PROTEIN and detected == NUCLEOTIDE
    ]


def exhaustive(program: str, letters: int, settings: dict) -> bool:
    """Return whether each query is compared with every sequence of a database of this size.

    Otherwise k-mers select the sequences to align. They miss some relatives, and even for a small
    database MMseqs2 needs seconds to build their tables.
    """
    if program == "blastn" or settings["sensitivity"] < MAX_SENSITIVITY:
        return False
    frames = 2 if PROGRAMS[program].database_type == NUCLEOTIDE else 1  # 6 frames of a third
    return letters * frames <= settings["exhaustive_up_to"]


def shortest_searchable(program: str, letters: int, settings: dict) -> int:
    """Return the minimum length of a query that can have hits in a database of this size."""
    if program == "blastn":
        return settings["word_size"]
    if PROGRAMS[program].query_type == NUCLEOTIDE:
        return 3 * settings["min_orf_codons"]
    return 1 if exhaustive(program, letters, settings) else MIN_PROTEIN_LETTERS
