"""Pairing FASTQ files by their names."""

from __future__ import annotations

import itertools
import random

import pytest

from services import sheets

CLOSED = {
    "required": ["sample", "fastq_1"],
    "additionalProperties": False,
    "properties": {
        "sample": {"type": "string", "unique": True},
        "fastq_1": {"type": "string", "format": "file-path", "pattern": r"\.f(ast)?q(\.gz)?$"},
        "fastq_2": {"type": "string", "format": "file-path", "pattern": r"\.f(ast)?q(\.gz)?$"},
    },
}
WITH_LANES = {"properties": {**CLOSED["properties"], "sample": {}, "lane": {"type": "string"}}}


def samples(pairs):
    """Return the name of the sample and its files, for each row."""
    return [
        (row["sample"], *(row[name] for name in ("fastq_1", "fastq_2") if name in row))
        for row in pairs.records
    ]


def messages(pairs):
    return [issue.message for issue in pairs.issues]


@pytest.mark.parametrize(
    ("first", "second", "sample"),
    [
        ("a_R1.fastq.gz", "a_R2.fastq.gz", "a"),
        ("a_1.fq", "a_2.fq", "a"),
        ("a.1.fastq", "a.2.fastq", "a"),
        ("a-b.read1.fastq", "a-b.read2.fastq", "a-b"),
        ("a.pair1.fq.gz", "a.pair2.fq.gz", "a"),
        ("a_F.fastq", "a_R.fastq", "a"),
        ("a_forward.fastq", "a_reverse.fastq", "a"),
        # bcl2fastq and BCL Convert
        ("a_S12_L002_R1_001.fastq.gz", "a_S12_L002_R2_001.fastq.gz", "a"),
        ("a_b_S3_R1_001.fastq.gz", "a_b_S3_R2_001.fastq.gz", "a_b"),
        ("A_ACGTAC_L001_R1_001.fastq.gz", "A_ACGTAC_L001_R2_001.fastq.gz", "A_ACGTAC"),
        # Novogene, BGI, MGI
        ("A1_1.clean.fq.gz", "A1_2.clean.fq.gz", "A1"),
        ("A1_clean_1.fq.gz", "A1_clean_2.fq.gz", "A1_clean"),
        (
            "A1_FKDL202580000-1a_HW3KTDSXY_L1_1.fq.gz",
            "A1_FKDL202580000-1a_HW3KTDSXY_L1_2.fq.gz",
            "A1_FKDL202580000-1a_HW3KTDSXY",
        ),
        ("V350012345_L01_24_1.fq.gz", "V350012345_L01_24_2.fq.gz", "V350012345_24"),
        # trimmers
        ("C_R1_val_1.fq.gz", "C_R2_val_2.fq.gz", "C"),
        ("C_1_val_1.fq.gz", "C_2_val_2.fq.gz", "C"),
        ("a_S1_L001_R1_001_val_1.fq.gz", "a_S1_L001_R2_001_val_2.fq.gz", "a"),
        ("t_1P.fq.gz", "t_2P.fq.gz", "t"),
        ("B.R1.trimmed.fastq.gz", "B.R2.trimmed.fastq.gz", "B"),
        ("B_R1.fastp.fastq.gz", "B_R2.fastp.fastq.gz", "B"),
        ("B_1_trimmed_filtered.fq", "B_2_trimmed_filtered.fq", "B"),
        ("B_R1_paired.fq.gz", "B_R2_paired.fq.gz", "B"),
        ("B_R1_kneaddata.fastq", "B_R2_kneaddata.fastq", "B_kneaddata"),
        # archives
        ("SRR1234567_1.fastq.gz", "SRR1234567_2.fastq.gz", "SRR1234567"),
        ("ERR1234567_1.fastq", "ERR1234567_2.fastq", "ERR1234567"),
        # other cases and forms of letters
        ("A_R1.FASTQ.GZ", "A_R2.FASTQ.GZ", "A"),
        ("a\u0308_R1.fq", "\u00e4_R2.fq", "\u00e4"),
    ],
)
def test_pair_two_mates_are_one_row(first, second, sample):
    for names in ((first, second), (second, first)):
        pairs = sheets.pair(names)
        assert samples(pairs) == [(sample, first, second)]
        assert pairs.issues == []


def test_pair_files_without_mate_are_issues():
    pairs = sheets.pair(["a_R1.fastq", "b_R2.fastq", "c.fastq", "notes.txt", "c.fastq"])
    assert [row["fastq_1"] for row in pairs.records] == ["a_R1.fastq", "c.fastq"]
    assert {issue.message: issue.severity for issue in pairs.issues} == {
        "a_R1.fastq was added as single reads: there is no file with the second reads.": "warning",
        "b_R2.fastq was left out: the file with the first reads is missing.": "error",
        "notes.txt was left out: it is not a FASTQ file.": "error",
        "c.fastq was left out: c.fastq is the same mate of the sample.": "error",
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["sample_S1.fastq.gz", "sample_S2.fastq.gz"], ["sample_S1", "sample_S2"]),
        (["A_S1_L001_R1_001.fastq", "A_S5_L001_R1_001.fastq"], ["A_S1", "A_S5"]),
        (["N2_L1_R1.fq", "N2_L2_R1.fq"], ["N2_L1", "N2_L2"]),  # larvae, no lanes
        (["patient_I1.fastq", "patient_I2.fastq"], ["patient_I1", "patient_I2"]),
        (["ctrl_1_A.fq", "ctrl_2_A.fq"], ["ctrl_1_A", "ctrl_2_A"]),
        (["rep_1.fq", "rep_2.fq", "rep_3.fq"], ["rep_1", "rep_2", "rep_3"]),
        (["WT_R1.fq", "WT_R2.fq", "WT_R3.fq"], ["WT_R1", "WT_R2", "WT_R3"]),
        (["z_F.fq"], ["z_F"]),
        (["1.fq", "2.fq"], ["1", "2"]),
    ],
)
def test_pair_names_that_only_resemble_mates_stay_apart(names, expected):
    assert [sample for sample, *_ in samples(sheets.pair(names))] == expected


def test_pair_replicates_with_mates_are_pairs():
    names = [f"WT_R{replicate}_{mate}.fq" for replicate in (1, 2) for mate in (1, 2)]
    assert samples(sheets.pair(names)) == [
        ("WT_R1", "WT_R1_1.fq", "WT_R1_2.fq"),
        ("WT_R2", "WT_R2_1.fq", "WT_R2_2.fq"),
    ]


LANES = [
    f"a_S1_L00{lane}_{read}_001.fastq.gz" for lane in (1, 2) for read in ("R1", "R2", "I1", "I2")
]


def test_pair_lanes_have_names_that_workflows_accept():
    pairs = sheets.pair(LANES)
    assert [(sample, len(files)) for sample, *files in samples(pairs)] == [
        ("a_L001", 2),
        ("a_L002", 2),
    ]
    assert messages(pairs)[-1] == (
        "The 2 lanes of a were added as samples of their own: a_L001, a_L002."
    )
    assert all("lane" not in row for row in pairs.records)
    assert sheets.check(pairs.records, CLOSED) == []


def test_pair_rows_with_a_column_for_lanes_keep_the_sample():
    rows = sheets.pair_rows(LANES, WITH_LANES).records
    assert [(row["sample"], row["lane"]) for row in rows] == [("a", "L001"), ("a", "L002")]


def test_pair_rows_have_the_columns_of_the_schema():
    schema = {
        "properties": {
            "name": {"type": "string"},
            "reads": {"format": "file-path", "pattern": r"\.fastq$"},
        }
    }
    assert sheets.pair_rows(["a_R1.fastq", "a_R2.fastq"], schema).records == [
        {"name": "a", "reads": "a_R1.fastq"}
    ]
    assert sheets.pair_rows(["a_R1.fastq"], {"properties": {"name": {}}}).records == []


def test_pair_index_reads_are_left_out_with_the_reason():
    pairs = sheets.pair(LANES)
    assert messages(pairs)[:4] == [
        f"{name} was left out: it contains index reads." for name in sorted(LANES) if "_I" in name
    ]
    assert {issue.severity for issue in pairs.issues} == {"warning"}


@pytest.mark.parametrize(
    ("names", "sample", "left_out"),
    [
        (["t_1P.fq", "t_2P.fq", "t_1U.fq", "t_2U.fq"], "t", ["t_1U.fq", "t_2U.fq"]),
        (["a_R1_paired.fq", "a_R2_paired.fq", "a_R1_unpaired.fq"], "a", ["a_R1_unpaired.fq"]),
        (
            ["C_R1_val_1.fq", "C_R2_val_2.fq", "C_R1_unpaired_1.fq"],
            "C",
            ["C_R1_unpaired_1.fq"],
        ),
        (
            ["SRR1234567_1.fastq", "SRR1234567_2.fastq", "SRR1234567.fastq"],
            "SRR1234567",
            ["SRR1234567.fastq"],
        ),
    ],
)
def test_pair_reads_without_mates_are_left_out_beside_pairs(names, sample, left_out):
    pairs = sheets.pair(names)
    assert [row["sample"] for row in pairs.records] == [sample]
    assert sorted(messages(pairs)) == [
        f"{name} was left out: it contains the reads of {sample} that have no mate."
        for name in left_out
    ]


def test_pair_third_file_of_a_run_is_left_out_with_the_reason():
    names = [f"SRR1234567_{number}.fastq.gz" for number in (1, 2, 3)]
    pairs = sheets.pair(names)
    assert samples(pairs) == [("SRR1234567", *names[:2])]
    assert messages(pairs) == [
        "SRR1234567_3.fastq.gz was left out: it is file 3 of SRR1234567, and a row has two files."
    ]


def test_pair_same_sample_twice_gets_two_names():
    pairs = sheets.pair(["A.fastq", "A_R1.fastq", "A_R2.fastq"])
    assert samples(pairs) == [("A", "A_R1.fastq", "A_R2.fastq"), ("A_2", "A.fastq")]
    assert messages(pairs) == ["A.fastq was added as A_2, because A is the name of another row."]


def test_pair_any_names_give_unique_samples_and_lose_no_file():
    generator = random.Random(7)
    parts = ["a", "S1", "_", ".", "-", "R1", "R2", "1", "2", "3", "L001", "_001", "I1", "val", "P"]
    parts += ["U", "unpaired", "SRR123456", "\u200b", "ä", "clean", "/", " ", "F", "样"]
    for _ in range(2000):
        names = {
            "".join(generator.choices(parts, k=generator.randint(0, 6)))
            + generator.choice([".fq", ".fastq.gz", ".FQ", "", ".txt"])
            for _ in range(generator.randint(1, 8))
        }
        pairs = sheets.pair(names)
        found = [sample for sample, *_ in samples(pairs)]
        assert len(found) == len(set(found))
        used = set(itertools.chain(*(files for _, *files in samples(pairs))))
        left_out = " ".join(messages(pairs))
        assert all(name in used or name in left_out for name in names)
