"""BLAST's table with comments: what `-outfmt 7` writes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from services.blast.report import STANDARD, Query, Report

FIELDS = (
    "query acc.ver, subject acc.ver, % identity, alignment length, mismatches, gap opens, q. start,"
    " q. end, s. start, s. end, evalue, bit score"
)


def render(report: Report) -> Iterator[str]:
    """The table, a piece for each query."""
    count = 0
    for count, query in enumerate(report.queries(), 1):  # noqa: B007 - told at the end
        yield _head(report, query)
        for row in query.rows:
            yield "\t".join(islice(row.values(), STANDARD)) + "\n"
    yield f"# BLAST processed {count} queries\n"


def _head(report: Report, query: Query) -> str:
    lines = [report.version, f"Query: {query.title}", f"Database: {report.database}"]
    if query.rows:
        lines.append(f"Fields: {FIELDS}")
    return "".join(f"# {line}\n" for line in [*lines, f"{len(query.rows)} hits found"])
