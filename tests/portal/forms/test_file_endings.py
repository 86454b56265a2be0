from __future__ import annotations

import pytest

from ui.forms.file_endings import chooser_filter, endings


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (None, ""),
        (r"\.tsv$", ".tsv"),
        (r"\.(csv|tsv|txt|xlsx)$", ".csv, .tsv, .txt, .xlsx"),
        (r"\.(fastq|fq)(\.gz)?$", ".fastq, .fq (also with .gz)"),
        (r"\.(fastq|fq)(\.b?gz)?$", ".fastq, .fq (also with .gz or .bgz)"),
        (r"\.[mM][zZ][mM][lL](\.gz)?$", ".mzml (also with .gz)"),
        (r"\.([cC][sS][vV]|[tT][sS][vV])$", ".csv, .tsv"),
        (r"^sample_\d+\.csv$", ""),
        (r"\.[ab]sv$", ""),
    ],
)
def test_endings_are_those_of_a_plain_list_and_else_empty(pattern, text):
    assert endings(pattern) == text


def test_chooser_filter_has_the_last_part_of_each_ending():
    assert chooser_filter(r"\.(csv|tsv)$") == ".csv,.tsv"
    assert set(chooser_filter(r"\.(fastq|fq)(\.gz)?$").split(",")) == {".fastq", ".fq", ".gz"}
    assert chooser_filter(r"^sample_\d+\.csv$") == chooser_filter(None) == ""
