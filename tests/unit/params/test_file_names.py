"""The names that files must have, in words."""

from __future__ import annotations

import pytest

from services.params import file_names
from services.params.file_names import accepted_endings, wrong_file_name


@pytest.mark.parametrize(
    ("pattern", "endings"),
    [
        (r"\.fastq$", [".fastq"]),
        (r"\.(fastq|fq)(\.gz)?$", [".fastq.gz", ".fastq", ".fq.gz", ".fq"]),
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


FASTA = r"\.(fa|fasta)(\.gz)?$"


@pytest.mark.parametrize(
    ("name", "pattern", "accepted", "staged"),
    [
        ("q.fasta", FASTA, True, "q.fasta"),
        ("Q.FASTA", FASTA, True, "Q.fasta"),
        ("Q.FA.Gz", FASTA, True, "Q.fa.gz"),
        ("q.txt", FASTA, False, "q.txt"),
        ("Q.MZML", r"\.[mM][zZ][mM][lL]$", True, "Q.MZML"),
        ("SAMPLE_1.csv", r"^sample_\d\.csv$", False, "SAMPLE_1.csv"),
        ("any", None, True, "any"),
    ],
)
def test_is_accepted_and_with_listed_ending_ignore_the_case_of_endings(
    name, pattern, accepted, staged
):
    assert file_names.is_accepted(name, pattern) is accepted
    assert file_names.with_listed_ending(name, pattern) == staged
