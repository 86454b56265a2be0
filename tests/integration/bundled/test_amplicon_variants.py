"""The workflow amplicon-variants through the API: real tools, real reads of three people."""

from __future__ import annotations

import re
from pathlib import Path

import pysam
import pytest

from tests.helpers.crate_validator import assert_valid_crate
from tests.helpers.remote import Done, Remote, finished, problems

EXAMPLE = Path(__file__).parents[3] / "workflows" / "amplicon-variants" / "example"
SAMPLES = ["HG00100", "HG00101", "HG00102"]
REFERENCE = "".join((EXAMPLE / "chr17_4.2kb.fa").read_text().split("\n")[1:])

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.timeout(300),
]  # s; the first test waits for a whole run


@pytest.fixture(scope="module")
def remote(desk) -> Remote:
    return Remote.of(desk)


@pytest.fixture(scope="module")
def done(remote) -> Done:
    return finished(remote, {"workflow": "amplicon-variants", "example": True})


@pytest.fixture(scope="module")
def folder(done, tmp_path_factory) -> Path:
    """The alignments and the VCF as files, with their indexes."""
    home = tmp_path_factory.mktemp("results")
    for path in done.results:
        if path.endswith((".bam", ".bai", ".vcf.gz", ".tbi")):
            (home / Path(path).name).write_bytes(done.content(path))
    return home


def test_example_gives_the_known_figures(done):
    table = {row["sample"]: row for row in done.table("results/samples.tsv")}
    assert list(table) == SAMPLES
    assert (table["HG00100"]["reads_in"], table["HG00100"]["reads_out"]) == ("569", "565")
    assert float(table["HG00100"]["aligned_percent"]) == pytest.approx(99.1, abs=0.05)
    assert [row["variants"] for row in table.values()] == ["9", "9", "9"]


def test_variants_of_the_table_are_the_known_ones(done):
    rows = done.table("results/variants.tsv")
    passed = [row for row in rows if row["filter"] == "PASS"]
    assert len(passed) == 9
    found = {(row["position"], row["reference"], row["alternative"]): row for row in passed}
    for known in (("302", "T", "TA"), ("828", "T", "C"), ("834", "G", "A")):
        assert found[known]["sequence"] == "17"
        assert found[known]["samples_with_it"] == "3"
        assert all("1" in found[known][f"{sample}_genotype"] for sample in SAMPLES)
    assert found["302", "T", "TA"]["type"] == "insertion"
    assert [row["filter"] for row in rows if row["position"] == "3104"] == ["LowQual"]


def test_vcf_is_indexed_and_agrees_with_the_reference(folder):
    with pysam.VariantFile(str(folder / "variants.vcf.gz")) as vcf:
        assert list(vcf.header.samples) == SAMPLES
        records = list(vcf.fetch("17", 0, 4200))
    assert len(records) == 10
    for record in records:
        assert REFERENCE[record.pos - 1 :].startswith(record.ref)
        assert len(record.alts) == 1


@pytest.mark.parametrize("sample", SAMPLES)
def test_alignments_are_sorted_indexed_and_true_to_the_reference(folder, sample):
    path = str(folder / f"{sample}.bam")
    pysam.quickcheck(path)
    with pysam.AlignmentFile(path) as bam:
        assert bam.header["HD"]["SO"] == "coordinate"
        group = dict(bam.header["RG"][0])
        assert group == {"ID": sample, "SM": sample, "LB": sample, "PL": "ILLUMINA"}
        assert bam.header["PG"][0]["PN"] == "minimap2"
        records = list(bam.fetch())
        assert len(records) == bam.mapped
    places = [record.reference_start for record in records]
    assert places == sorted(places)
    for record in records:
        assert record.get_tag("RG") == sample
        if record.is_secondary:
            continue
        check_against_reference(record)


def check_against_reference(record: pysam.AlignedSegment) -> None:
    """CIGAR, MD and NM tell the same story as the two sequences."""
    pairs = record.get_aligned_pairs(with_seq=True)
    mismatches = 0
    for at, place, letter in pairs:
        if place is not None:
            assert letter.upper() == REFERENCE[place]
        if at is not None and place is not None:
            mismatches += record.query_sequence[at] != REFERENCE[place]
    gaps = sum(count for operation, count in record.cigartuples if operation in (1, 2))
    assert record.get_tag("NM") == mismatches + gaps
    assert record.infer_query_length() == len(record.query_sequence)


def test_pages_hold_what_was_found_and_load_nothing(done):
    assert done.results[:3] == [
        "results/variants.html",
        "results/variants.tsv",
        "results/report.html",
    ]
    page = done.content("results/variants.html").decode()
    assert "<script" not in page
    assert not re.findall(r"https?:|\bsrc=|\bhref=|url\(|@import", page)
    assert page.count('class="spot"') == 9
    assert page.count('class="shade"') == 27
    assert "HG00102, 17:302 T&gt;TA: genotype 1/1, 7 of 7 reads" in page
    report = done.content("results/report.html").decode()
    for words in ("Percent mapped", "Variant Quality", "10.1093/gigascience/giab008", "HG00101"):
        assert words in report


# ---- data that cannot be used ------------------------------------------------------------------


def test_protein_or_reads_as_reference_are_refused(remote):
    reads = remote.upload("a.fastq.gz", (EXAMPLE / "HG00100.fastq.gz").read_bytes())
    fake = remote.upload("reference.fa", b"@r\nACGT\n+\nIIII\n")
    params = {"samples": [{"sample": "a", "fastq_1": reads}], "reference": fake}
    body = {"workflow": "amplicon-variants", "params": params}
    found = problems(remote.submit(body), 400)
    assert found == {"params.reference": "reference.fa is FASTQ, but FASTA is required."}


def test_crate_of_the_run_is_valid(desk, done):
    entities = assert_valid_crate(desk.services, done.id)
    assert set(done.results) <= entities.keys()
