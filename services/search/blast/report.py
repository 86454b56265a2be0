"""The report of a complete search, read from its results query by query.

`results/hits.tsv` has the values, `results/alignments.txt` the aligned rows of the same hits in the
same order, `results/best_hits.tsv` the queries in the order of the input, and
`results/summary.json` the settings (workflows/sequence-search/config/README.md).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from operator import eq
from pathlib import Path
from typing import Any, TextIO

REFERENCE = (
    "Steinegger M, Söding J. MMseqs2 enables sensitive protein sequence searching for the analysis"
    " of massive data sets. Nature Biotechnology 35, 1026–1028 (2017)."
)
STANDARD = 12  # the first columns of the hits table are those of BLAST's tabular format
ALIGNED = re.compile(r"Query  +\d+  (\S+)  \d+\n")

Row = dict[str, str]


@dataclass(frozen=True)
class Scoring:
    """The scoring of MMseqs2 in the terms of BLAST.

    MMseqs2 reports rounded bit scores; `lambda_` and `kappa` convert them back to raw scores.
    """

    lambda_: float
    kappa: float
    gap_open: int
    gap_extend: int
    matrix: str = ""  # of amino acids
    match: int = 0  # of nucleotides
    mismatch: int = 0

    def raw(self, bits: float) -> int:
        """Return the raw score of a bit score."""
        return round((bits * math.log(2) + math.log(self.kappa)) / self.lambda_)


#: The constants of MMseqs2 18 (src/alignment/EvalueComputation.h): raw scores are exact.
AMINO_ACIDS = Scoring(0.27359865, 0.04462092, 11, 1, matrix="BLOSUM62")
#: MMseqs2 computes these at run time; they reproduce the scores of 60 alignments within 1.
NUCLEOTIDES = Scoring(0.6211, 0.3839, 5, 2, match=2, mismatch=-3)


@dataclass(frozen=True)
class Hsp:
    """An alignment. A start above its end means the reverse strand; a frame of 0 means no frame."""

    bits: str
    score: int
    evalue: str
    query_start: int
    query_end: int
    hit_start: int
    hit_end: int
    query_frame: int
    hit_frame: int
    qseq: str
    hseq: str
    midline: str
    row: Row  # of the hits table

    @property
    def query_range(self) -> tuple[int, int]:
        return _range(self.query_start, self.query_end, self.query_frame)

    @property
    def hit_range(self) -> tuple[int, int]:
        return _range(self.hit_start, self.hit_end, self.hit_frame)

    @property
    def identity(self) -> int:
        return sum(map(eq, self.qseq, self.hseq))

    @property
    def positive(self) -> int:
        """The number of columns with identical letters or similar amino acids."""
        return len(self.midline) - self.midline.count(" ")

    @property
    def gaps(self) -> int:
        return self.qseq.count("-") + self.hseq.count("-")


@dataclass(frozen=True)
class Hit:
    """A sequence of the database and its alignments."""

    name: str
    description: str
    length: int
    hsps: list[Hsp]

    @property
    def accession(self) -> str:
        """The second part of a name like `sp|P69905|HBA_HUMAN`, else the whole name."""
        parts = self.name.split("|")
        return parts[1] if len(parts) > 1 and parts[1] else self.name


@dataclass(frozen=True)
class Query:
    """A query and its hits."""

    number: int  # from 1
    name: str
    description: str
    length: int
    hits: list[Hit]

    @property
    def title(self) -> str:
        return f"{self.name} {self.description}".rstrip()


@dataclass(frozen=True)
class Report:
    """A search. `summary` is the content of `summary.json`, `database` a name for people."""

    database: str
    summary: Mapping[str, Any]
    hits: Path
    best_hits: Path
    alignments: Path

    @classmethod
    def read(
        cls, *, summary: Path, hits: Path, best_hits: Path, alignments: Path, database: str = ""
    ) -> Report:
        """Open the report of a search; the default for `database` is the name of its file."""
        content = json.loads(summary.read_text(encoding="utf-8"))
        return cls(database or content["database"]["file"], content, hits, best_hits, alignments)

    @property
    def program(self) -> str:
        return str(self.summary["program"])

    @property
    def version(self) -> str:
        """The version in the format of BLAST: name of the program, then release."""
        return f"{self.program.upper()} MMseqs2-{self.summary['mmseqs_version']}"

    @property
    def scoring(self) -> Scoring:
        return NUCLEOTIDES if self.program == "blastn" else AMINO_ACIDS

    @property
    def parameters(self) -> dict[str, str | int | float]:
        """The parameters that BLAST reports, under its names."""
        scoring = self.scoring
        matrix = {"matrix": scoring.matrix} if scoring.matrix else {}
        letters = {"sc_match": scoring.match, "sc_mismatch": scoring.mismatch}
        return {
            **matrix,
            "expect": self.summary["settings"]["evalue"],
            **(letters if not matrix else {}),
            "gap_open": scoring.gap_open,
            "gap_extend": scoring.gap_extend,
            "filter": "L" if self.summary["settings"]["mask_low_complexity"] else "F",
        }

    def statistics(self, query: Query) -> dict[str, int | float]:
        """Return BLAST's statistics of one query; lengths are not corrected for edge effects."""
        letters = int(self.summary["database"]["letters"])
        return {
            "db_num": int(self.summary["database"]["sequences"]),
            "db_len": letters,
            "hsp_len": 0,
            "eff_space": letters * query.length,
            "kappa": self.scoring.kappa,
            "lambda": self.scoring.lambda_,
            "entropy": 0,
        }

    def queries(self) -> Iterator[Query]:
        """Yield every query in the order of the input, including those without hits."""
        with ExitStack() as stack:

            def lines(path: Path) -> TextIO:
                return stack.enter_context(path.open(encoding="utf-8", newline="\n"))

            hits, aligned = _rows(lines(self.hits)), _alignments(lines(self.alignments))
            for number, best in enumerate(_rows(lines(self.best_hits)), 1):
                rows = list(islice(hits, int(best["hits"])))
                yield Query(
                    number=number,
                    name=best["query"],
                    description=best["query_description"],
                    length=int(best["query_length"]),
                    hits=self._group(rows, aligned),
                )

    def _group(self, rows: list[Row], aligned: Iterator[tuple[str, str, str]]) -> list[Hit]:
        """The alignments grouped by sequence, in the order of the best alignment of each."""
        hits: dict[str, Hit] = {}
        for row in rows:
            description, length = row["target_description"], int(row["target_length"])
            hit = hits.setdefault(row["target"], Hit(row["target"], description, length, []))
            hit.hsps.append(_hsp(row, next(aligned), self.scoring))
        return list(hits.values())


def _range(start: int, end: int, frame: int) -> tuple[int, int]:
    """From and to in BLAST's order: ascending where the sign of the frame gives the strand."""
    return (min(start, end), max(start, end)) if frame else (start, end)


def _rows(lines: TextIO) -> Iterator[Row]:
    names = next(lines).rstrip("\n").split("\t")
    for line in lines:
        yield dict(zip(names, line.rstrip("\n").split("\t"), strict=True))


def _alignments(lines: TextIO) -> Iterator[tuple[str, str, str]]:
    """Query row, middle row and database row of each alignment, its blocks joined."""
    rows: list[list[str]] = []
    for line in lines:
        if line.startswith(" Score = "):
            if rows:
                yield _join(rows)
            rows = []
        elif block := ALIGNED.fullmatch(line):
            window = slice(*block.span(1))
            middle, target = next(lines).rstrip("\n"), next(lines)
            rows.append([line[window], middle[window].ljust(len(block[1])), target[window]])
    if rows:
        yield _join(rows)


def _join(rows: list[list[str]]) -> tuple[str, str, str]:
    query, middle, target = map("".join, zip(*rows, strict=True))
    return query, middle, target


def _hsp(row: Row, aligned: tuple[str, str, str], scoring: Scoring) -> Hsp:
    qseq, midline, hseq = aligned
    return Hsp(
        bits=row["bit_score"],
        score=scoring.raw(float(row["bit_score"])),
        evalue=row["evalue"],
        query_start=int(row["query_start"]),
        query_end=int(row["query_end"]),
        hit_start=int(row["target_start"]),
        hit_end=int(row["target_end"]),
        query_frame=int(row["query_frame"] or 0),
        hit_frame=int(row["target_frame"] or 0),
        qseq=qseq,
        hseq=hseq,
        midline=midline,
        row=row,
    )
