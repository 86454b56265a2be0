"""Kinds of files by the suffixes of their names."""

from __future__ import annotations

import pytest

from services.files.registry import kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.fsa", "fasta"),
        ("a.FRN", "fasta"),
        ("a.fa.bgz", "fasta"),
        ("a.frn.gz", "fasta"),
        ("a.vcf.bgz", "variants"),
        ("a.gff3.bgzf", "annotation"),
        ("A.FASTQ.GZ", "fastq"),
        ("a.tsv.zst", "table"),
        ("a.bgz", "other"),
        ("a", "other"),
        ("", "other"),
        ("fasta", "other"),
    ],
)
def test_kind_of_a_name_is_that_of_its_suffix(name, kind):
    assert kind_of(name) == kind
