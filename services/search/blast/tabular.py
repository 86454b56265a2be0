"""BLAST's table with comments (`-outfmt 7`), the alignments of a sequence in adjacent lines."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from services.search.blast.report import STANDARD, Query, Report

FIELDS = (
    "query acc.ver, subject acc.ver, % identity, alignment length, mismatches, gap opens, q. start,"
    " q. end, s. start, s. end, evalue, bit score"
)


def render(report: Report) -> Iterator[str]:
    """Yield the table, a part for each query."""
    count = 0
    for count, query in enumerate(report.queries(), 1):  # noqa: B007 - used at the end
        yield _head(report, query)
        for hit in query.hits:
            for hsp in hit.hsps:
                yield "\t".join(islice(hsp.row.values(), STANDARD)) + "\n"
    yield f"# BLAST processed {count} queries\n"


def _head(report: Report, query: Query) -> str:
    count = sum(len(hit.hsps) for hit in query.hits)
    lines = [report.version, f"Query: {query.title}", f"Database: {report.database}"]
    if count:
        lines.append(f"Fields: {FIELDS}")
    return "".join(f"# {line}\n" for line in [*lines, f"{count} hits found"])
