"""Reports in BLAST's formats, read by the programs that they are written for."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from Bio import Blast, SearchIO
from Bio.Blast import NCBIXML
from jsonschema import Draft202012Validator

from services.search.blast import json2, tabular, xml
from services.search.blast.report import Report

SCHEMA = Path(__file__).parents[2] / "data" / "blast" / "blast-output2.schema.json"
PROGRAMS = ("blastp", "blastn", "blastx", "tblastn", "tblastx")
#: Names and descriptions that readers can stumble over
TITLES = (
    "",
    "a plain protein",
    "<&> ]]> '\" = ä",
    "BLASTP 2.2 Query: Database: Fields: 0 hits found",
)
HITS = (
    "query target identity_percent alignment_length mismatches gap_openings query_start query_end"
    " target_start target_end evalue bit_score query_coverage_percent target_coverage_percent"
    " positives_percent query_length target_length query_frame target_frame cigar"
    " target_description"
).replace(" ", "\t")
FRAMES = {"blastx": (-1, 0), "tblastn": (0, 1), "tblastx": (1, -1)}


def hit_row(program: str, query: str, target: str, description: str, evalue: str) -> str:
    query_frame, hit_frame = FRAMES.get(program, (0, 0))
    positions = ["1", "12" if query_frame else "4", *(["4", "15"] if hit_frame else ["2", "5"])]
    if query_frame < 0:
        positions[:2] = reversed(positions[:2])
    if hit_frame < 0 or program == "blastn":  # on the reverse strand
        positions[2:] = reversed(positions[2:])
    frames = [str(frame) if frame else "" for frame in (query_frame, hit_frame)]
    values = [query, target, "100.0", "4", "0", "0", *positions, evalue, "32", "100", "50", "100"]
    return "\t".join([*values, "12", "30", *frames, "4M", description])


def aligned(query: str, target: str) -> str:
    return f"""\
Query= {query}
Length=12

>{target}
Length=30

 Score = 32 bits,  Expect = 1e-9
 Identities = 4/4 (100%), Positives = 4/4 (100%), Gaps = 0/4 (0%)

Query  1  ACGT  4
          ACGT
Sbjct  2  ACGT  5

"""


@pytest.fixture
def write(tmp_path):
    def report(program, queries):
        """A search of `queries`: (name, description, [(target, description, E-value)])."""
        rows, best, alignments = [], [], ""
        for name, description, hits in queries:
            best.append(f"{name}\t12\t{len(hits)}\t{description}\n")
            for target, title, evalue in hits:
                rows.append(hit_row(program, name, target, title, evalue) + "\n")
                alignments += aligned(name, target)
        summary = {
            "program": program,
            "mmseqs_version": "18-8cc5c",
            "settings": {"evalue": 10, "mask_low_complexity": True},
            "database": {"sequences": 3, "letters": 1000},
            "hits": len(rows),
        }
        files = {
            "summary": json.dumps(summary),
            "hits": HITS + "\n" + "".join(rows),
            "best_hits": "query\tquery_length\thits\tquery_description\n" + "".join(best),
            "alignments": alignments,
        }
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        return Report.read(database="db", **{name: tmp_path / name for name in files})

    return report


@pytest.fixture(params=PROGRAMS)
def search(request, write):
    """Queries with two hits, with none, and with one."""
    queries = [
        ("q1", TITLES[1], [("sp|P1|A", TITLES[1], "1e-120"), ("t2", TITLES[0], "0.0")]),
        ("q2", TITLES[2], []),
        ("q3", TITLES[0], [("gnl|db|3", TITLES[2], "9.8")]),
    ]
    return write(request.param, queries)


EXPECTED = [("q1", [("sp|P1|A", 1e-120), ("t2", 0.0)]), ("q2", []), ("q3", [("gnl|db|3", 9.8)])]


def xml_of(report):
    return io.BytesIO("".join(xml.render(report)).encode())


def test_xml_is_read_by_searchio(search):
    results = list(SearchIO.parse(xml_of(search), "blast-xml"))
    found = [(result.id, [(hit.id, hit[0].evalue) for hit in result]) for result in results]
    assert found == EXPECTED
    assert {(result.program, result.version) for result in results} == {(search.program, "2.15.0+")}
    assert [result.seq_len for result in results] == [12, 12, 12]


def test_xml_is_read_by_ncbixml(search):
    records = list(NCBIXML.parse(xml_of(search)))
    found = [
        (record.query.split()[0], [(hit.hit_id, hit.hsps[0].expect) for hit in record.alignments])
        for record in records
    ]
    assert found == EXPECTED
    assert records[0].application == search.program.upper()
    assert records[0].version == "2.15.0+"


def test_xml_is_read_by_bio_blast(search):
    with Blast.parse(xml_of(search)) as records:
        assert records.program == search.program
        assert records.version == f"{search.program.upper()} 2.15.0+"
        found = [
            (
                record.query.description.split()[0],
                [(hit.target.id, hit[0].annotations["evalue"]) for hit in record],
            )
            for record in records
        ]
    assert found == EXPECTED


def test_table_is_read_by_searchio(search):
    text = "".join(tabular.render(search))
    results = list(SearchIO.parse(io.StringIO(text), "blast-tab", comments=True))
    found = [(result.id, [(hit.id, hit[0].evalue) for hit in result]) for result in results]
    assert found == EXPECTED
    plain = "".join(line for line in text.splitlines(keepends=True) if line[0] != "#")
    without = [result.id for result in SearchIO.parse(io.StringIO(plain), "blast-tab")]
    assert without == ["q1", "q3"]


def test_json_follows_the_types_of_ncbi(search):
    document = json.loads("".join(json2.render(search)))
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert list(validator.iter_errors(document)) == []
    reports = [item["report"]["results"]["search"] for item in document["BlastOutput2"]]
    assert [
        (
            item["query_title"].split()[0],
            [(hit["description"][0]["id"], hit["hsps"][0]["evalue"]) for hit in item["hits"]],
        )
        for item in reports
    ] == EXPECTED


@pytest.mark.parametrize("render", [xml.render, json2.render, tabular.render])
def test_report_says_which_program_made_it(search, render):
    assert "MMseqs2-18-8cc5c" in "".join(render(search))


def test_versions_are_written_as_ncbi_writes_them(search):
    assert (
        f"<BlastOutput_version>{search.program.upper()} 2.15.0+<" in xml_of(search).read().decode()
    )


@pytest.mark.parametrize("title", TITLES)
def test_titles_are_read_back_unchanged(write, title):
    report = write("blastp", [("q", title, [("t", title, "1e-9")])])
    (result,) = SearchIO.parse(xml_of(report), "blast-xml")
    assert (result.description, result[0].description) == (title, title or "No definition line")
    (record,) = NCBIXML.parse(xml_of(report))
    assert record.query == f"q {title}".strip()
    assert record.alignments[0].hit_def == title or not title


def test_reports_without_queries_or_hits_are_read(write):
    for queries in ([("q", "", [])], [("q", "", []), ("r", "x", [])]):
        report = write("blastp", queries)
        assert [result.id for result in SearchIO.parse(xml_of(report), "blast-xml")] == [
            name for name, _, _ in queries
        ]
        assert len(list(NCBIXML.parse(xml_of(report)))) == len(queries)
        text = "".join(tabular.render(report))
        assert len(list(SearchIO.parse(io.StringIO(text), "blast-tab", comments=True))) == len(
            queries
        )
