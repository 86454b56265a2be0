"""Reports of BLAST: what their readers could stumble over."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest

from services.search.blast import json2, tabular, xml
from services.search.blast.report import AMINO_ACIDS, NUCLEOTIDES, Report

HOSTILE = "Status=READY\x07 ]]> <b>&amp; \u200b\uffff \\u003d \U0001f9ec"
HITS = (
    "query target identity_percent alignment_length mismatches gap_openings query_start query_end"
    " target_start target_end evalue bit_score query_coverage_percent target_coverage_percent"
    " positives_percent query_length target_length query_frame target_frame cigar"
    " target_description"
).replace(" ", "\t")
ROW = "q t 80.0 5 0 1 1 4 2 6 1e-9 32 100 50 80 4 10   2M1D2M".replace(" ", "\t")
ALIGNMENTS = f"""\
Query= q {HOSTILE}
Length=4

>t {HOSTILE}
Length=10

 Score = 32 bits,  Expect = 1e-9
 Identities = 4/5 (80%), Positives = 4/5 (80%), Gaps = 1/5 (20%)

Query  1  MK-  2
          MK
Sbjct  2  MKT  4

Query  3  AY  4
          AY
Sbjct  5  AY  6

"""


def report(folder: Path, hits: int) -> Report:
    """A search of `hits` hits: one or, with no query at all, none."""
    best = f"q\t4\t{hits}\t{HOSTILE}\n" if hits else ""
    summary = {
        "program": "blastp",
        "mmseqs_version": "18-8cc5c",
        "settings": {"evalue": 10, "mask_low_complexity": True},
        "database": {"sequences": 3, "letters": 1000},
        "hits": hits,
    }
    for name, text in {
        "summary": json.dumps(summary),
        "hits": f"{HITS}\n" + f"{ROW}\t{HOSTILE}\n" * hits,
        "best": f"query\tquery_length\thits\tquery_description\n{best}",
        "alignments": ALIGNMENTS if hits else "",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Report.read(
        database="db",
        summary=folder / "summary",
        hits=folder / "hits",
        best_hits=folder / "best",
        alignments=folder / "alignments",
    )


def test_rows_of_an_alignment_are_put_together(tmp_path):
    (query,) = report(tmp_path, 1).queries()
    (hsp,) = query.hits[0].hsps
    assert (hsp.qseq, hsp.midline, hsp.hseq) == ("MK-AY", "MK AY", "MKTAY")
    assert (hsp.identity, hsp.positive, hsp.gaps) == (4, 4, 1)


def test_table_tells_the_alignments_of_a_sequence_together(tmp_path):
    found = report(tmp_path, 3)
    first, second = f"{ROW}\t\n", f"{ROW}\t\n".replace("q\tt\t", "q\tu\t")
    found.hits.write_text(f"{HITS}\n{first}{second}{first}")
    found.alignments.write_text(ALIGNMENTS * 3)
    rows = [row.split("\t")[1] for row in tabular.render(found) if not row.startswith("#")]
    assert rows == ["t", "t", "u"]


def test_xml_stays_xml_whatever_a_name_holds(tmp_path):
    document = "".join(xml.render(report(tmp_path, 1)))
    assert "Status=" not in document
    (name,) = (hit.text for hit in ElementTree.fromstring(document).iter("Hit_def"))
    assert name == HOSTILE.replace("\x07", "\ufffd").replace("\uffff", "\ufffd")


def test_json_stays_json_whatever_a_name_holds(tmp_path):
    document = "".join(json2.render(report(tmp_path, 1)))
    assert "Status=" not in document
    (one,) = json.loads(document)["BlastOutput2"]
    search = one["report"]["results"]["search"]
    assert search["hits"][0]["description"][0]["title"] == HOSTILE
    assert search["query_title"] == f"q {HOSTILE}"


def test_search_without_queries_makes_whole_documents(tmp_path):
    empty = report(tmp_path, 0)
    assert ElementTree.fromstring("".join(xml.render(empty))).tag == "BlastOutput"
    assert json.loads("".join(json2.render(empty))) == {"BlastOutput2": []}
    assert list(tabular.render(empty)) == ["# BLAST processed 0 queries\n"]
    file = io.BytesIO()
    json2.render_zip(empty, "rid", file)
    assert zipfile.ZipFile(file).namelist() == ["rid.json"]


@pytest.mark.parametrize(
    ("scoring", "raw", "bits"),
    [  # as MMseqs2 18-8cc5c tells them: convertalis --format-output raw,bits
        (AMINO_ACIDS, 70, 32),
        (AMINO_ACIDS, 62, 29),
        (AMINO_ACIDS, 52, 25),
        (NUCLEOTIDES, 104, 95),
        (NUCLEOTIDES, 165, 149),
        (NUCLEOTIDES, 195, 176),
    ],
)
def test_bit_scores_lead_back_to_scores(scoring, raw, bits):
    assert scoring.raw(bits) == raw
