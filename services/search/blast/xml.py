"""BLAST XML: the output of `blastp -outfmt 5`, after NCBI's NCBI_BlastOutput.dtd."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from services.search.blast.report import REFERENCE, Hit, Hsp, Query, Report

HEAD = """\
<?xml version="1.0"?>
<!DOCTYPE BlastOutput PUBLIC "-//NCBI//NCBI BlastOutput/EN" \
"http://www.ncbi.nlm.nih.gov/dtd/NCBI_BlastOutput.dtd">
<BlastOutput>
"""
#: XML 1.0, section 2.2: characters that a document must not contain, even escaped
NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> Iterator[str]:
    """Yield the document, a part for each query."""
    queries = report.queries()
    first = next(queries, None)
    yield HEAD
    yield _elements(
        "BlastOutput",
        {
            "program": report.program,
            "version": report.version,
            "reference": REFERENCE,
            "db": report.database,
            "query-ID": "Query_1",
            "query-def": first.title if first else "",
            "query-len": first.length if first else 0,
        },
    )
    yield "<BlastOutput_param>\n<Parameters>\n"
    yield _elements("Parameters", _with_dashes(report.parameters))
    yield "</Parameters>\n</BlastOutput_param>\n<BlastOutput_iterations>\n"
    if first:
        yield _iteration(report, first)
    for query in queries:
        yield _iteration(report, query)
    yield "</BlastOutput_iterations>\n</BlastOutput>\n"


def _iteration(report: Report, query: Query) -> str:
    about = {
        "iter-num": query.number,
        "query-ID": f"Query_{query.number}",
        "query-def": query.title,
        "query-len": query.length,
    }
    hits = "".join(_hit(report, hit, number) for number, hit in enumerate(query.hits, 1))
    statistics = _elements("Statistics", _with_dashes(report.statistics(query)))
    message = {} if query.hits else {"message": "No hits found"}
    return (
        f"<Iteration>\n{_elements('Iteration', about)}"
        f"<Iteration_hits>\n{hits}</Iteration_hits>\n"
        f"<Iteration_stat>\n<Statistics>\n{statistics}</Statistics>\n</Iteration_stat>\n"
        f"{_elements('Iteration', message)}</Iteration>\n"
    )


def _hit(report: Report, hit: Hit, number: int) -> str:
    about = {
        "num": number,
        "id": hit.name,
        "def": hit.description or "No definition line",
        "accession": hit.accession,
        "len": hit.length,
    }
    hsps = "".join(_hsp(report, hsp, number) for number, hsp in enumerate(hit.hsps, 1))
    return f"<Hit>\n{_elements('Hit', about)}<Hit_hsps>\n{hsps}</Hit_hsps>\n</Hit>\n"


def _hsp(report: Report, hsp: Hsp, number: int) -> str:
    nucleotides = report.program == "blastn"
    query, hit = hsp.query_range, hsp.hit_range
    about = {
        "num": number,
        "bit-score": hsp.bits,
        "score": hsp.score,
        "evalue": hsp.evalue,
        "query-from": query[0],
        "query-to": query[1],
        "hit-from": hit[0],
        "hit-to": hit[1],
        "query-frame": 1 if nucleotides else hsp.query_frame,
        "hit-frame": (-1 if hit[0] > hit[1] else 1) if nucleotides else hsp.hit_frame,
        "identity": hsp.identity,
        "positive": hsp.positive,
        "gaps": hsp.gaps,
        "align-len": len(hsp.qseq),
        "qseq": hsp.qseq,
        "hseq": hsp.hseq,
        "midline": hsp.midline,
    }
    return f"<Hsp>\n{_elements('Hsp', about)}</Hsp>\n"


def _elements(prefix: str, values: Mapping[str, Any]) -> str:
    return "".join(
        f"<{prefix}_{name}>{_text(value)}</{prefix}_{name}>\n" for name, value in values.items()
    )


def _text(value: Any) -> str:
    """Escaped text, also "=": clients search for "Status=" to distinguish pages from reports."""
    text = NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", str(value))
    return escape(text, {"=": "&#61;", "\r": "&#13;"})


def _with_dashes(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in values.items()}
