"""The modules of amplicon-variants: references, SAM records, tables and the figure."""

from __future__ import annotations

import gzip
import io
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import mappy
import pysam
import pytest

SCRIPTS = Path(__file__).parents[3] / "workflows" / "amplicon-variants" / "workflow" / "scripts"
sys.path.append(str(SCRIPTS))

from amplicon_variants import page  # noqa: E402
from amplicon_variants.alignment import Writer, clipped, is_proper, template_length  # noqa: E402
from amplicon_variants.depth import read_depths, widths, with_fragments_counted_once  # noqa: E402
from amplicon_variants.page import PageContent, build_page  # noqa: E402
from amplicon_variants.picture import Track, draw, ticks  # noqa: E402
from amplicon_variants.reference import ReferenceProblem, write_reference  # noqa: E402
from amplicon_variants.tools import TOOLS  # noqa: E402
from amplicon_variants.variants import Call, Variant, header, row  # noqa: E402

pytestmark = pytest.mark.workflow

CHROMOSOME = "".join(
    (Path(__file__).parents[2] / "data" / "chr17_4.2kb.fa").read_text().split("\n")[1:]
)
HOSTILE = "<script>alert('1')</script>\"&"

# ---- alignment -------------------------------------------------------------------------------

HEAD = pysam.AlignmentHeader.from_dict(
    {"HD": {"VN": "1.6"}, "SQ": [{"SN": "17", "LN": len(CHROMOSOME)}, {"SN": "x", "LN": 600}]}
)


@pytest.fixture(scope="module")
def aligner():
    return mappy.Aligner(seq=CHROMOSOME, preset="sr")


def read(letters, name="r"):
    return SimpleNamespace(id=name, sequence=letters, qualities="I" * len(letters))


def hits_of(aligner, letters):
    """Hits on sequence 17; mappy names a sequence that it was given as such N/A."""
    return [named(hit) for hit in aligner.map(letters, MD=True)]


def named(hit, **changed):
    fields = ("r_st", "r_en", "strand", "q_st", "q_en", "mapq", "NM", "MD", "is_primary", "cigar")
    return SimpleNamespace(**{"ctg": "17", **{n: getattr(hit, n) for n in fields}, **changed})


def writer():
    return Writer(HEAD, "s", 1000)


def pair_of(aligner, first, second):
    found = (hits_of(aligner, first), hits_of(aligner, second))
    return list(writer().pair((read(first), read(second)), found))


def test_a_pair_that_faces_each_other_is_proper(aligner):
    first, second = CHROMOSOME[500:600], mappy.revcomp(CHROMOSOME[700:800])
    one, other = pair_of(aligner, first, second)
    assert (one.flag, other.flag) == (0x1 | 0x2 | 0x20 | 0x40, 0x1 | 0x2 | 0x10 | 0x80)
    assert (one.reference_start, one.next_reference_start) == (500, 700)
    assert (other.reference_start, other.next_reference_start) == (700, 500)
    assert (one.template_length, other.template_length) == (300, -300)
    assert other.query_sequence == CHROMOSOME[700:800]
    assert one.get_tag("RG") == "s"


def test_a_pair_that_looks_away_is_not_proper(aligner):
    one, other = pair_of(aligner, mappy.revcomp(CHROMOSOME[500:600]), CHROMOSOME[700:800])
    assert not one.is_proper_pair
    assert not other.is_proper_pair
    assert (one.template_length, other.template_length) == (300, -300)


def test_an_unmapped_mate_lies_where_the_other_one_does(aligner):
    one, other = pair_of(aligner, CHROMOSOME[500:600], "ACGGT" * 20)
    assert one.mate_is_unmapped
    assert not one.is_unmapped
    assert other.is_unmapped
    assert (other.reference_name, other.reference_start) == ("17", 500)
    assert (one.template_length, other.template_length) == (0, 0)
    assert other.query_sequence == "ACGGT" * 20


def test_unaligned_read_keeps_letters_and_qualities():
    (record,) = writer().single(read("ACGGT"), [])
    assert (record.flag, record.query_sequence) == (4, "ACGGT")
    assert record.reference_id == -1
    assert list(record.query_qualities) == [40] * 5


def test_unaligned_ends_are_soft_clipped_on_both_strands(aligner):
    letters = "ACGGTACGGTACGGTACGGT" + CHROMOSOME[1000:1100]
    for sent in (letters, mappy.revcomp(letters)):
        (record,) = writer().single(read(sent), hits_of(aligner, sent))
        assert record.query_sequence == letters
        assert record.cigartuples[0][0] == 4
        assert record.reference_end == 1100
        assert record.infer_query_length() == len(letters)


def test_further_hits_are_supplementary_or_secondary():
    shared = {"strand": 1, "mapq": 60, "NM": 0, "r_en": 0, "ctg": "17"}
    first = SimpleNamespace(
        **shared, r_st=10, q_st=0, q_en=6, MD="6", is_primary=True, cigar=[[6, 0]]
    )
    second = SimpleNamespace(
        **shared, r_st=90, q_st=6, q_en=10, MD="4", is_primary=True, cigar=[[4, 0]]
    )
    third = SimpleNamespace(
        **shared, r_st=50, q_st=0, q_en=6, MD="6", is_primary=False, cigar=[[6, 0]]
    )
    records = list(writer().single(read("ACGTACGTAC"), [first, second, third]))
    assert [record.flag for record in records] == [0, 0x800, 0x100]
    assert [record.cigarstring for record in records] == ["6M4S", "6S4M", "6M4S"]
    assert records[0].get_tag("SA") == "17,91,+,6S4M,60,0;"
    assert records[1].get_tag("SA") == "17,11,+,6M4S,60,0;"
    assert records[1].query_sequence == "ACGTACGTAC"
    assert records[2].query_sequence is None
    assert not records[2].has_tag("SA")


def test_pairs_on_two_sequences_have_no_length():
    one = SimpleNamespace(ctg="17", r_st=1, r_en=9, strand=1)
    other = SimpleNamespace(ctg="x", r_st=1, r_en=9, strand=-1)
    assert template_length(one, other) == 0
    assert not is_proper(one, other, 1000)
    assert clipped(SimpleNamespace(q_st=1, q_en=4, strand=-1, cigar=[[3, 0]]), 6) == [
        (4, 2),
        (0, 3),
        (4, 1),
    ]


# ---- reference -------------------------------------------------------------------------------


def test_reference_is_unpacked_in_upper_case_with_t(tmp_path):
    (tmp_path / "r.fa.gz").write_bytes(gzip.compress(b">a first\nacgu\nN\n\n>b\nTT\n"))
    out = io.StringIO()
    assert write_reference(str(tmp_path / "r.fa.gz"), out) == {"a": 5, "b": 2}
    assert out.getvalue() == ">a\nACGTN\n>b\nTT\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ACGT\n", "r.fa is not a FASTA file."),
        (b"", "r.fa contains no sequences."),
        (b">a\nAC\n>a\nAC\n", "The sequence name a occurs twice in r.fa."),
        (b">a\nMKLLE\n", "Sequence a in r.fa contains 'L', which is not a nucleotide."),
        (b">a\n>b\nAC\n", "Sequence a in r.fa is empty."),
        (b"> \nAC\n", "The name of sequence 1 in r.fa is missing or not allowed in SAM."),
        (b">*a\nAC\n", "The name of sequence 1 in r.fa is missing or not allowed in SAM."),
        (b"\xff\xfe>", "r.fa is not a FASTA file."),
        (
            gzip.compress(b">a\nACGT\n", mtime=0)[:-9],
            "r.fa is damaged: its gzip data are truncated or corrupt.",
        ),
    ],
)
def test_invalid_reference_raises_the_reason(tmp_path, content, words):
    (tmp_path / "r.fa").write_bytes(content)
    with pytest.raises(ReferenceProblem) as caught:
        write_reference(str(tmp_path / "r.fa"), io.StringIO())
    assert words in str(caught.value)


# ---- depth, table, picture -------------------------------------------------------------------


def aligned(name, start, flag=0, cigar="100M", mate=0):
    """A read of sequence 17; `mate` is the start of the other read of its pair."""
    record = pysam.AlignedSegment(HEAD)
    record.query_name, record.flag, record.cigarstring = name, flag, cigar
    record.reference_id, record.reference_start, record.mapping_quality = 0, start, 60
    record.query_sequence = CHROMOSOME[start : start + record.infer_query_length()]
    record.query_qualities = pysam.qualitystring_to_array("I" * record.infer_query_length())
    if flag:
        record.next_reference_id, record.next_reference_start = 0, mate
    return record


def coverage_of(folder, records):
    """The mean depth and covered bases of sequence 17: of samtools, and with pairs counted once."""
    bam, depths = folder / "reads.bam", folder / "depths.tsv"
    with pysam.AlignmentFile(bam, "wb", header=HEAD) as file:
        for record in sorted(records, key=lambda record: record.reference_start):
            file.write(record)
    pysam.index(str(bam))
    pysam.depth("-s", "-o", str(depths), str(bam), catch_stdout=False)
    plain = pysam.coverage(str(bam))
    figures = []
    for table in (plain, with_fragments_counted_once(plain, str(depths))):
        header, first, second = table.splitlines()
        values = dict(zip(header.split("\t"), first.split("\t"), strict=True))
        assert second.split("\t")[0] == "x"
        figures.append((float(values["meandepth"]) * len(CHROMOSOME), int(values["covbases"])))
    return figures


@pytest.mark.parametrize(
    ("records", "plain", "once", "covered"),
    [
        # Single reads, also with a deletion: as samtools coverage counts them.
        ([aligned("a", 0), aligned("b", 50), aligned("c", 500, cigar="40M20D60M")], 300, 300, 250),
        # A pair that overlaps in full, in half, and not at all.
        ([aligned("a", 0, 0x63, mate=0), aligned("a", 0, 0x93, mate=0)], 200, 100, 100),
        ([aligned("a", 0, 0x63, mate=50), aligned("a", 50, 0x93, mate=0)], 200, 150, 150),
        ([aligned("a", 0, 0x63, mate=900), aligned("a", 900, 0x93, mate=0)], 200, 200, 200),
        # Two pairs at the same place are two fragments.
        (
            [aligned(n, 0, flag, mate=0) for n in "ab" for flag in (0x63, 0x93)],
            400,
            200,
            100,
        ),
        ([], 0, 0, 0),
    ],
)
def test_mean_depth_counts_each_fragment_once(tmp_path, records, plain, once, covered):
    figures = coverage_of(tmp_path, records)
    assert figures[0] == (pytest.approx(plain, abs=0.1), covered)
    assert figures[1] == (pytest.approx(once, abs=0.1), covered)


def test_depth_is_the_mean_of_each_column(tmp_path):
    rows = "".join(f"a\t{place}\t{place}\n" for place in range(1, 8))
    (tmp_path / "d.tsv").write_text(f"{rows}b\t1\t9\n")
    assert read_depths(str(tmp_path / "d.tsv"), {"a": 7}, 3) == {"a": [2.0, 4.5, 6.5]}
    assert read_depths(str(tmp_path / "d.tsv"), {"b": 1}, 3) == {"b": [9.0]}


@pytest.mark.parametrize(("length", "columns"), [(7, 3), (4200, 840), (10, 10), (841, 840)])
def test_widths_are_those_of_the_positions_counted(length, columns):
    counted = [0] * columns
    for place in range(length):
        counted[place * columns // length] += 1
    assert widths(length, columns) == counted


def variant(position=302, sample="s", sequence="17", call=None, **changed):
    fields = {"reference": "T", "alternative": "TA", "quality": 50.0, "filters": ("PASS",)}
    calls = {sample: call or Call("0/1", 8, 9)}
    return Variant(sequence, position, depth=17, calls=calls, **{**fields, **changed})


def test_row_has_a_value_for_each_column():
    columns = header(["s"])
    values = dict(zip(columns, row(variant()), strict=True))
    assert (values["type"], values["s_reads"], values["s_percent"]) == ("insertion", "9/17", 52.9)
    blank = dict(zip(columns, row(variant(call=Call("./.", 0, 0))), strict=True))
    assert (blank["s_percent"], blank["samples_with_it"]) == ("", 0)


@pytest.mark.parametrize("length", [1, 7, 60, 4200, 29_903, 248_956_422])
def test_ticks_are_few_and_inside(length):
    found = ticks(length)
    assert len(found) <= 9
    assert all(0 < position <= length for position in found)
    assert len({second - first for first, second in pairwise(found)}) <= 1


def page_content(tracks, listed, **changed):
    fields = {"passed": len(listed), "filtered": 0, "sequences": 1, "made": "today"}
    settings = {HOSTILE: HOSTILE}
    samples = tracks[0].samples
    return PageContent(
        samples, tracks, listed, settings=settings, tools=TOOLS, **{**fields, **changed}
    )


def track(variants, sample="s", name="17"):
    return Track(name, 4200, [sample], {sample: [1.0, 2.0]}, variants)


def test_page_keeps_hostile_names_as_text():
    found = variant(sample=HOSTILE, sequence=HOSTILE, alternative="<b>")
    html = build_page(page_content([track([found], HOSTILE, HOSTILE)], [found]))
    assert "<script" not in html
    assert "<b>" not in html.replace("<b>cutadapt", "").split("<footer>")[0]
    assert "&lt;script&gt;" in html


def test_page_notes_what_is_not_shown():
    one = variant()
    assert "No variants passed the filters." in build_page(page_content([track([])], []))
    html = build_page(page_content([track([one])], [one], passed=500, sequences=40))
    assert "shows only the 1 variants with the highest quality" in html
    assert "The figures show 1 of 40 reference sequences." in html
    assert page.MAX_VARIANTS == 300


def test_figure_marks_unknown_calls_and_grows_with_variants():
    many = [variant(position=place) for place in range(10, 2010, 10)]
    assert draw(track(many)).count('class="shade"') == 200
    unknown = draw(track([variant(call=Call("./.", 0, 0))]))
    assert 'class="unknown"' in unknown
    assert "not called" in unknown
