"""The names that files must have, in words."""

from __future__ import annotations

import pytest

from services.params.file_names import accepted_endings, accepted_name, wrong_file_name


@pytest.mark.parametrize(
    ("pattern", "endings"),
    [
        (r"\.fastq$", [".fastq"]),
        (r"\.(fastq|fq)(\.gz)?$", [".fastq.gz", ".fastq", ".fq.gz", ".fq"]),
        (r"\.fq(\.b?gz)?$", [".fq.bgz", ".fq.gz", ".fq"]),
        (r"\.f(?:ast)?q$", [".fastq", ".fq"]),
        (r"\.[mM][zZ][mM][lL](\.gz)?$", [".mzml.gz", ".mzml"]),
        (r"\.([xX][lL][sS][xX]|tsv)$", [".xlsx", ".tsv"]),
        (r"^\S+\.fastq$", []),
        (r"\.[a-z]+$", []),
        (r"\.x*$", []),
        (r"\.(a|(b|c))$", []),
        (r"\.[ab]$", []),
        (r"\." + "(a|b|c|d)" * 4 + "$", []),
        ("", []),
    ],
)
def test_accepted_endings_of_a_pattern(pattern, endings):
    assert accepted_endings(pattern) == endings


def test_wrong_file_name_names_the_endings():
    text = wrong_file_name("a.bam", r"\.fastq$", "Reads.")
    assert (text.code, str(text), text.hint) == (
        "wrong_kind_of_file",
        "a.bam is not an accepted file: its name must end in .fastq.",
        "",
    )
    several = wrong_file_name("a.bam", r"\.(fa|fasta)$")
    assert str(several) == (
        "a.bam is not an accepted file: its name must end in one of .fa, .fasta."
    )


def test_wrong_file_name_other_pattern_has_the_description_as_hint():
    text = wrong_file_name("a.bam", "^x", "Reads of the first lane.")
    assert str(text) == (
        "a.bam is not an accepted file: its name does not have the required format."
    )
    assert text.hint == "Reads of the first lane."
    assert text.args["pattern"] == "^x"


READS = r"\.(fastq|fq)(\.gz)?$"


@pytest.mark.parametrize(
    ("name", "pattern", "accepted"),
    [
        ("a.fastq.gz", READS, "a.fastq.gz"),
        ("SEQ.FASTQ", READS, "SEQ.fastq"),
        ("Sample.A.FQ.GZ", READS, "Sample.A.fq.gz"),
        ("a_R1.Fastq.Gz", r"_R[12]\.fastq\.gz$", "a_R1.fastq.gz"),
        ("a.R1.FASTQ", r"\.R1\.fastq$", "a.R1.fastq"),
        ("a.MZML", r"\.mzML$", "a.mzML"),
        ("a.mzml.GZ", r"\.mzML(\.gz)?$", "a.mzML.gz"),
        ("a.MZML", r"^.*\.mzML$", "a.mzML"),
        ("A.FASTA", r"^\S+\.f(ast)?a$", "A.fasta"),
        ("a b.FASTA", r"^\S+\.f(ast)?a$", None),
        ("A.fastq", r"^[a-z]+\.fastq$", None),  # only suffixes match in any case
        ("a.bam", READS, None),
        ("fastq", READS, None),
        ("anything", None, "anything"),
    ],
)
def test_accepted_name_has_suffixes_in_the_case_of_the_pattern(name, pattern, accepted):
    assert accepted_name(name, pattern) == accepted
