"""Output of the tables, the plain-text alignments and the summary."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TextIO

from sequence_search.alignment import Walk, blocks, cigar, gap_columns, identities, positives
from sequence_search.hits import Hit, Result
from sequence_search.plan import Plan

# The first twelve are the columns of BLAST's tabular format, in the same order.
HIT_COLUMNS = [
    "query",
    "target",
    "identity_percent",
    "alignment_length",
    "mismatches",
    "gap_openings",
    "query_start",
    "query_end",
    "target_start",
    "target_end",
    "evalue",
    "bit_score",
    "query_coverage_percent",
    "target_coverage_percent",
    "positives_percent",
    "query_length",
    "target_length",
    "query_frame",
    "target_frame",
    "cigar",
    "target_description",
]
BEST_COLUMNS = ["query", "query_length", "hits", *HIT_COLUMNS[1:15], "target_length"]
BEST_COLUMNS += ["target_description", "query_description"]


@dataclass
class Counts:
    """Counts for the summary."""

    queries: int = 0
    queries_with_hits: int = 0
    hits: int = 0
    targets: set[str] = field(default_factory=set)

    def add(self, result: Result) -> None:
        self.queries += 1
        self.queries_with_hits += bool(result.hits)
        self.hits += len(result.hits)
        self.targets.update(hit.target.name for hit in result.hits)


def write_tables(
    plan: Plan,
    results: Iterable[Result],
    hits: TextIO,
    best_hits: TextIO,
    summary: TextIO,
    alignments: TextIO | None = None,
) -> Counts:
    """Write all files in one pass over `results` and return the counts."""
    counts, top = Counts(), []
    hits.write(row(HIT_COLUMNS))
    best_hits.write(row(BEST_COLUMNS))
    for result in results:
        counts.add(result)
        top.append(top_hit(result))
        hits.writelines(row(hit_values(result, hit)) for hit in result.hits)
        best_hits.write(row(best_values(result)))
        if alignments:
            write_alignments(plan, result, alignments)
    json.dump(summarize(plan, counts, top), summary, indent=2, ensure_ascii=False)
    summary.write("\n")
    return counts


def row(values: Iterable) -> str:
    return "\t".join("" if value is None else str(value) for value in values) + "\n"


def number(value: float) -> str:
    """Return the number as text, without a trailing `.0`."""
    return f"{value:g}" if value == int(value) else str(value)


def hit_values(result: Result, hit: Hit) -> list:
    return [
        result.query.name,
        hit.target.name,
        hit.identity_percent,
        hit.length,
        hit.mismatches,
        hit.gap_openings,
        hit.qstart,
        hit.qend,
        hit.tstart,
        hit.tend,
        hit.evalue,
        number(hit.bits),
        hit.query_coverage,
        hit.target_coverage,
        hit.positives_percent,
        result.query.length,
        hit.target.length,
        hit.query_frame,
        hit.target_frame,
        cigar(hit.qaln, hit.taln),
        hit.target.description,
    ]


def best_values(result: Result) -> list:
    """Return the row of a query in best_hits.tsv; the columns of the hit are empty without hits."""
    query = result.query
    best = [None] * 16
    if result.hits:
        values = hit_values(result, result.hits[0])
        best = [*values[1:15], result.hits[0].target.length, result.hits[0].target.description]
    return [query.name, query.length, len(result.hits), *best, query.description]


def top_hit(result: Result) -> dict:
    best = result.hits[0] if result.hits else None
    return {
        "query": result.query.name,
        "length": result.query.length,
        "hits": len(result.hits),
        "top_hit": best
        and {
            "target": best.target.name,
            "description": best.target.description,
            "evalue": float(best.evalue),
            "bit_score": best.bits,
            "identity_percent": best.identity_percent,
            "query_coverage_percent": best.query_coverage,
        },
    }


def summarize(plan: Plan, counts: Counts, top: list[dict]) -> dict:
    return {
        "program": plan.program,
        "queries": {**asdict(plan.queries), "with_hits": counts.queries_with_hits},
        "database": {**asdict(plan.database), "hit": len(counts.targets)},
        "hits": counts.hits,
        "settings": plan.settings,
        "exhaustive": plan.exhaustive,
        "mmseqs_version": plan.mmseqs_version,
        "notes": plan.notes,
        "top_hits": top,
    }


def write_alignments(plan: Plan, result: Result, out: TextIO) -> None:
    """Write the hits of one query in the format of BLAST's pairwise output."""
    query = result.query
    out.write(f"Query= {query.name} {query.description}".rstrip() + "\n")
    out.write(f"Length={query.length}\n\n")
    if not result.hits:
        out.write("***** No hits found *****\n\n\n")
    for hit in result.hits:
        out.write(f">{hit.target.name} {hit.target.description}".rstrip() + "\n")
        out.write(f"Length={hit.target.length}\n\n")
        out.write("\n".join(alignment_lines(plan, hit)) + "\n\n")


def alignment_lines(plan: Plan, hit: Hit) -> list[str]:
    protein = not plan.nucleotides_compared
    lines = [f" Score = {number(hit.bits)} bits,  Expect = {hit.evalue}", counts_line(hit, protein)]
    if plan.nucleotides_compared:
        lines.append(f" Strand=Plus/{'Minus' if hit.tstart > hit.tend else 'Plus'}")
    elif frames := [f"{frame:+d}" for frame in (hit.query_frame, hit.target_frame) if frame]:
        lines.append(f" Frame = {'/'.join(frames)}")
    query_walk = Walk(hit.qstart, hit.qend, 3 if plan.query_translated else 1)
    target_walk = Walk(hit.tstart, hit.tend, 3 if plan.target_translated else 1)
    return [*lines, "", *blocks(hit.qaln, hit.taln, query_walk, target_walk, protein)]


def counts_line(hit: Hit, protein: bool) -> str:
    figures = [("Identities", identities(hit.qaln, hit.taln))]
    if protein:
        figures.append(("Positives", positives(hit.qaln, hit.taln)))
    figures.append(("Gaps", gap_columns(hit.qaln, hit.taln)))
    parts = (
        f"{label} = {count}/{hit.length} ({100 * count / hit.length:.0f}%)"
        for label, count in figures
    )
    return " " + ", ".join(parts)
