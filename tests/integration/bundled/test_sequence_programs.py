"""The five programs of sequence-search through the API, on the gene of release factor 1.

The expected positions are those of BLAST+ 2.12, of its best alignment or of all parts of it.
The two pieces of genomes in tests/data/prfA.fna have the gene on different strands.
"""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from Bio import SearchIO
from Bio.Blast import NCBIXML

from services.settings import HERE
from tests.helpers.remote import Done, Remote, finished
from tests.helpers.sequences import aligned_rows, between, translate

EXAMPLE = HERE / "workflows" / "sequence-search" / "example" / "swissprot_subset.fasta.gz"
PIECES = HERE / "tests" / "data" / "prfA.fna"
KLEBSIELLA, CHLAMYDIA = "kpneumoniae", "ctrachomatis"
ACINETOBACTER, LACTOBACILLUS = "sp|B7H0L9|RF1_ACIB3", "sp|Q38WJ4|RF1_LACSS"
PROTEINS = {ACINETOBACTER, LACTOBACILLUS}

Spans = dict[tuple[str, str], tuple[int, int, int, int]]  # of query and target, by their names

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(300)]  # s; each test waits for a whole run


@pytest.fixture(scope="module")
def remote(desk) -> Remote:
    return Remote.of(desk)


@pytest.fixture(scope="module")
def swissprot() -> bytes:
    return gzip.decompress(EXAMPLE.read_bytes())


@pytest.fixture(scope="module")
def factors(swissprot) -> bytes:
    """The two proteins of the subset that are release factor 1."""
    entries = swissprot.decode().removeprefix(">").split("\n>")
    kept = [entry.rstrip() for entry in entries if entry.split()[0] in PROTEINS]
    assert len(kept) == 2
    return "".join(f">{entry}\n" for entry in kept).encode()


def searched(remote: Remote, queries: bytes, database: bytes, **params: Any) -> Done:
    files = {
        name: remote.upload(f"{name}.fasta", content)
        for name, content in (("queries", queries), ("database", database))
    }
    given = {**files, "chunks": 1, **params}
    return finished(remote, {"workflow": "sequence-search", "params": given})


def spans(done: Done) -> Spans:
    """Where the best alignment of each pair lies."""
    found: Spans = {}
    columns = ("query_start", "query_end", "target_start", "target_end")
    for hit in done.table("results/hits.tsv"):
        place = tuple(int(hit[column]) for column in columns)
        found.setdefault((hit["query"], hit["target"]), place)
    return found


def assert_near(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """On the same strands, and nearly all of what BLAST+ aligned."""
    for start, end, first, last in ((*found[:2], *expected[:2]), (*found[2:], *expected[2:])):
        assert (start <= end) == (first <= last)
        low, high = max(min(start, end), min(first, last)), min(max(start, end), max(first, last))
        assert high - low > 0.9 * abs(last - first)


def assert_exported(done: Done) -> None:
    """What Biopython reads of both exports are the hits of the table."""
    hits = done.table("results/hits.tsv")
    records = NCBIXML.parse(io.BytesIO(done.content("results/blast.xml")))
    read = [
        (record.query.split()[0], found.hit_id, hsp.expect, hsp.bits, hsp.align_length)
        for record in records
        for found in record.alignments
        for hsp in found.hsps
    ]
    expected = [
        (
            hit["query"],
            hit["target"],
            float(hit["evalue"]),
            float(hit["bit_score"]),
            int(hit["alignment_length"]),
        )
        for hit in hits
    ]
    assert sorted(read) == sorted(expected)
    assert read
    text = done.content("results/blast.tab").decode()
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    assert sorted(rows) == sorted(list(hit.values())[:12] for hit in hits)
    tabled = list(SearchIO.parse(io.StringIO(text), "blast-tab", comments=True))
    assert sum(len(hit.hsps) for query in tabled for hit in query) == len(hits)


def assert_letters(done: Done, queries: bytes, database: bytes) -> None:
    """The rows of the alignments are the letters at their positions, translated where need be."""
    letters = {"query": letters_of(queries), "target": letters_of(database)}
    translated = {
        "query": program_of(done) in ("blastx", "tblastx"),
        "target": program_of(done) in ("tblastn", "tblastx"),
    }
    report = done.content("results/report.html").decode()
    for hit, *rows in aligned_rows(done.table("results/hits.tsv"), report):
        for side, row in zip(("query", "target"), rows, strict=True):
            ends = int(hit[f"{side}_start"]), int(hit[f"{side}_end"])
            found = between(letters[side][hit[side]], *ends)
            assert row.replace("-", "") == (translate(found) if translated[side] else found)


def letters_of(fasta: bytes) -> dict[str, str]:
    entries = fasta.decode().removeprefix(">").split("\n>")
    return {entry.split()[0]: "".join(entry.split("\n")[1:]) for entry in entries}


def program_of(done: Done) -> str:
    return str(json.loads(done.content("results/summary.json"))["program"])


def test_blastp_is_chosen_for_proteins(remote, factors, swissprot):
    done = searched(remote, factors, swissprot)
    assert program_of(done) == "blastp"
    assert_letters(done, factors, swissprot)
    found = spans(done)
    for name, other in ((ACINETOBACTER, LACTOBACILLUS), (LACTOBACILLUS, ACINETOBACTER)):
        assert [target for query, target in found if query == name][:2] == [name, other]
    assert_exported(done)


def test_blastn_is_chosen_for_nucleotides(remote):
    pieces = PIECES.read_bytes()
    first = "".join(pieces.decode().split(">")[1].split("\n")[1:])
    turned = first[400:900][::-1].translate(str.maketrans("ACGT", "TGCA"))
    query = f">turned\n{turned}\n".encode()
    done = searched(remote, query, pieces)
    assert program_of(done) == "blastn"
    assert_letters(done, query, pieces)
    found = spans(done)
    assert next(iter(found)) == ("turned", KLEBSIELLA)
    assert found["turned", KLEBSIELLA] == (1, 500, 900, 401)
    assert_exported(done)


def test_blastx_is_chosen_for_nucleotides_and_proteins(remote, swissprot):
    done = searched(remote, PIECES.read_bytes(), swissprot)
    assert program_of(done) == "blastx"
    assert_letters(done, PIECES.read_bytes(), swissprot)
    found = spans(done)
    for piece in (KLEBSIELLA, CHLAMYDIA):
        best = [target for query, target in found if query == piece][:2]
        assert best == [ACINETOBACTER, LACTOBACILLUS]
    assert_near(found[KLEBSIELLA, ACINETOBACTER], (1354, 278, 1, 359))
    assert_near(found[CHLAMYDIA, ACINETOBACTER], (198, 1259, 2, 347))
    assert_near(found[CHLAMYDIA, LACTOBACILLUS], (228, 1241, 11, 346))
    assert_exported(done)


def test_tblastn_is_chosen_for_proteins_and_nucleotides(remote, factors):
    done = searched(remote, factors, PIECES.read_bytes())
    assert program_of(done) == "tblastn"
    assert_letters(done, factors, PIECES.read_bytes())
    found = spans(done)
    assert len(found) == 4
    assert_near(found[ACINETOBACTER, KLEBSIELLA], (1, 359, 1354, 278))
    assert_near(found[ACINETOBACTER, CHLAMYDIA], (2, 347, 198, 1259))
    assert_exported(done)


def test_tblastx_translates_both_when_asked(remote):
    pieces = PIECES.read_bytes()
    chlamydia = b">" + pieces.split(b">")[2]
    done = searched(remote, chlamydia, pieces, program="tblastx")
    assert program_of(done) == "tblastx"
    assert_letters(done, chlamydia, pieces)
    hits = done.table("results/hits.tsv")
    assert {hit["target"] for hit in hits} == {KLEBSIELLA, CHLAMYDIA}
    (found,) = [place for pair, place in spans(done).items() if pair[1] == KLEBSIELLA]
    assert_near(found, (474, 1241, 1084, 320))
    assert_exported(done)
