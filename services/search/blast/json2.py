"""BLAST's JSON: one file (`-outfmt 15`), or one file for each query (`-outfmt 13`)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from services.search.blast.report import REFERENCE, Hit, Hsp, Query, Report

Json = dict[str, Any]


def render(report: Report) -> Iterator[str]:
    """Yield one document, a part for each query."""
    between = '{"BlastOutput2":[\n'
    for query in report.queries():
        yield between + _dump({"report": _report(report, query)})
        between = ",\n"
    yield "\n]}\n" if between == ",\n" else between + "]}\n"


def render_zip(report: Report, name: str, file: BinaryIO) -> None:
    """Write the archive that NCBI sends: `<name>.json` lists a document for each query."""
    members = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for query in report.queries():
            member = f"{name}_{query.number}.json"
            document = {"BlastOutput2": {"report": _report(report, query)}}
            archive.writestr(member, _dump(document))
            members.append({"File": member})
        archive.writestr(f"{name}.json", _dump({"BlastJSON": members}))


def _dump(value: Json) -> str:
    """JSON with "=" escaped: clients search for "Status=" to distinguish pages from reports."""
    return json.dumps(value, ensure_ascii=False).replace("=", "\\u003d")


def _report(report: Report, query: Query) -> Json:
    search: Json = {
        "query_id": f"Query_{query.number}",
        "query_title": query.title,
        "query_len": query.length,
        "hits": [_hit(report, hit, number) for number, hit in enumerate(query.hits, 1)],
        "stat": report.statistics(query),
    }
    if not query.hits:
        search["message"] = "No hits found"
    return {
        "program": report.program,
        "version": report.version,
        "reference": REFERENCE,
        "search_target": {"db": report.database},
        "params": report.parameters,
        "results": {"search": search},
    }


def _hit(report: Report, hit: Hit, number: int) -> Json:
    described = {"id": hit.name, "accession": hit.accession, "title": hit.description}
    hsps = [_hsp(report, hsp, number) for number, hsp in enumerate(hit.hsps, 1)]
    return {"num": number, "description": [described], "len": hit.length, "hsps": hsps}


def _hsp(report: Report, hsp: Hsp, number: int) -> Json:
    query, hit = hsp.query_range, hsp.hit_range
    if report.program == "blastn":
        strand = "Minus" if hit[0] > hit[1] else "Plus"
        strands: Json = {"query_strand": "Plus", "hit_strand": strand}
    else:
        frames = {"query_frame": hsp.query_frame, "hit_frame": hsp.hit_frame}
        strands = {name: frame for name, frame in frames.items() if frame}
    return {
        "num": number,
        "bit_score": float(hsp.bits),
        "score": hsp.score,
        "evalue": float(hsp.evalue),
        "identity": hsp.identity,
        "positive": hsp.positive,
        "query_from": query[0],
        "query_to": query[1],
        "hit_from": hit[0],
        "hit_to": hit[1],
        **strands,
        "align_len": len(hsp.qseq),
        "gaps": hsp.gaps,
        "qseq": hsp.qseq,
        "hseq": hsp.hseq,
        "midline": hsp.midline,
    }
