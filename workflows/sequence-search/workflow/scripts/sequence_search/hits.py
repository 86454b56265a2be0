"""Hits with their statistics, from the tables of MMseqs2, by query in the input order."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from sequence_search import alignment
from sequence_search.plan import Plan


@dataclass(frozen=True, slots=True)
class Sequence:
    """A query or database sequence: identifier and description of the input, length in letters."""

    name: str
    length: int
    description: str


@dataclass(frozen=True, slots=True)
class Raw:
    """One line of the MMseqs2 output: internal identifiers, 1-based positions, aligned rows."""

    query: str
    target: str
    qstart: int
    qend: int
    tstart: int
    tend: int
    evalue: str
    bits: float
    qaln: str
    taln: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One alignment. Positions are 1-based in the input sequence, both ends included.

    A start above its end means the reverse strand. Percentages refer to the alignment columns
    (identity, positives) or to the whole sequence (coverage). `positives_percent` and the frames
    are None where they do not apply.
    """

    target: Sequence
    identity_percent: float
    length: int
    mismatches: int
    gap_openings: int
    qstart: int
    qend: int
    tstart: int
    tend: int
    evalue: str
    bits: float
    query_coverage: float
    target_coverage: float
    positives_percent: float | None
    query_frame: int | None
    target_frame: int | None
    qaln: str
    taln: str


@dataclass(frozen=True, slots=True)
class Result:
    """One query with its hits, best first."""

    query: Sequence
    hits: list[Hit]


def parse_raw(line: str) -> Raw:
    query, target, qstart, qend, tstart, tend, evalue, bits, qaln, taln = line.rstrip("\n").split(
        "\t"
    )
    return Raw(
        query, target, int(qstart), int(qend), int(tstart), int(tend), evalue, float(bits),
        qaln, taln,
    )  # fmt: skip


def rank(raw: Raw) -> tuple:
    """Return the sort key: best hits first within a query, ties independent of the parts."""
    return (
        raw.query, float(raw.evalue), -raw.bits, raw.target, raw.tstart, raw.tend, raw.qstart,
        raw.qend,
    )  # fmt: skip


def sort_raw(lines: Iterable[str]) -> list[str]:
    return sorted(lines, key=lambda line: rank(parse_raw(line)))


def read_names(path: str | Path, wanted: set[str] | None = None) -> dict[str, Sequence]:
    """Return the sequences by internal identifier in input order, only those `wanted` if given."""
    names = {}
    with open(path, encoding="utf-8") as table:
        for line in table:
            key, name, length, description = line.rstrip("\n").split("\t", 3)
            if wanted is None or key in wanted:
                names[key] = Sequence(name, int(length), description)
    return names


def read_results(
    plan: Plan, tables: Iterable[str | Path], query_names: str | Path, database_names: str | Path
) -> Iterator[Result]:
    """Yield every query in input order, with the hits that pass the filters of the plan."""
    targets = read_names(database_names, wanted=targets_in(tables))
    groups = groupby(merged(tables), key=attrgetter("query"))
    upcoming, rows = next(groups, (None, []))
    for key, query in read_names(query_names).items():
        hits = []
        if key == upcoming:
            hits = filter_hits(plan, query, rows, targets)
            upcoming, rows = next(groups, (None, []))
        yield Result(query, hits)


def targets_in(tables: Iterable[str | Path]) -> set[str]:
    wanted = set()
    for table in tables:
        with open(table) as lines:
            wanted.update(line.split("\t", 2)[1] for line in lines)
    return wanted


def merged(tables: Iterable[str | Path]) -> Iterator[Raw]:
    """Merge the rows of all parts by query; each part is already sorted."""
    return heapq.merge(*map(rows_of, tables), key=attrgetter("query"))


def rows_of(table: str | Path) -> Iterator[Raw]:
    with open(table) as lines:
        yield from map(parse_raw, lines)


def filter_hits(
    plan: Plan, query: Sequence, rows: Iterable[Raw], targets: dict[str, Sequence]
) -> list[Hit]:
    settings = plan.settings
    hits = []
    for raw in rows:
        hit = make_hit(plan, raw, query, targets[raw.target])
        if (
            hit.identity_percent >= settings["min_identity"]
            and hit.query_coverage >= settings["min_query_coverage"]
        ):
            hits.append(hit)
        if len(hits) == settings["max_hits"]:
            break
    return hits


def make_hit(plan: Plan, raw: Raw, query: Sequence, target: Sequence) -> Hit:
    if plan.nucleotides_compared:
        raw = orient_query(raw)
    length = len(raw.qaln)
    same = alignment.identities(raw.qaln, raw.taln)
    gaps = alignment.gap_columns(raw.qaln, raw.taln)
    similar = None
    if not plan.nucleotides_compared:
        similar = percent(alignment.positives(raw.qaln, raw.taln), length)
    return Hit(
        target=target,
        identity_percent=percent(same, length),
        length=length,
        mismatches=length - same - gaps,
        gap_openings=alignment.gap_openings(raw.qaln, raw.taln),
        qstart=raw.qstart,
        qend=raw.qend,
        tstart=raw.tstart,
        tend=raw.tend,
        evalue=raw.evalue,
        bits=raw.bits,
        query_coverage=coverage(raw.qstart, raw.qend, query.length),
        target_coverage=coverage(raw.tstart, raw.tend, target.length),
        positives_percent=similar,
        query_frame=frame(raw.qstart, raw.qend, query.length) if plan.query_translated else None,
        target_frame=(
            frame(raw.tstart, raw.tend, target.length) if plan.target_translated else None
        ),
        qaln=raw.qaln,
        taln=raw.taln,
    )


def orient_query(raw: Raw) -> Raw:
    """Return the same nucleotide alignment with the query forward, as in BLAST.

    For hits on the other strand, MMseqs2 reverses the query and BLAST reverses the target.
    """
    if raw.qstart <= raw.qend:
        return raw
    return Raw(
        raw.query,
        raw.target,
        raw.qend,
        raw.qstart,
        raw.tend,
        raw.tstart,
        raw.evalue,
        raw.bits,
        alignment.reverse_complement(raw.qaln),
        alignment.reverse_complement(raw.taln),
    )


def percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 2)


def coverage(start: int, end: int, length: int) -> float:
    """Return the percentage of a sequence between two positions, both included."""
    return percent(abs(end - start) + 1, length)


def frame(start: int, end: int, length: int) -> int:
    """Return the reading frame as in BLAST: 1 to 3, or -1 to -3 on the reverse strand."""
    if start <= end:
        return (start - 1) % 3 + 1
    return -((length - start) % 3 + 1)
