"""Headers of standard tables: SDRF, nf-core, and those of the bundled workflows."""

from __future__ import annotations

import pytest
import yaml

from services import sheets
from services.settings import HERE

INFORMATION = "ms-report/workflow/schemas/information.schema.yaml"
READS = "reads-qc/workflow/schemas/samples.schema.yaml"


def read(schema, *rows):
    rows_schema = yaml.safe_load((HERE / "workflows" / schema).read_text())
    return sheets.read("".join("\t".join(row) + "\n" for row in rows).encode(), rows_schema)


def issues(sheet, severity):
    return [issue.message for issue in sheet.issues if issue.severity == severity]


def test_read_sdrf_columns_are_recognized():
    header = [
        "source name",
        "characteristics[organism]",
        "characteristics[biological replicate]",
        "assay name",
        "comment[data file]",
        "comment[fraction identifier]",
        "comment[technical replicate]",
        "comment[modification parameters]",
        "comment[modification parameters]",
        "factor value[treatment]",
        "factor value[disease]",
    ]
    cells = [
        "S1",
        "Homo sapiens",
        "not available",
        "run 1",
        "a.raw",
        "1",
        "1",
        "Ox",
        "CAM",
        "x",
        "y",
    ]
    sheet = read(INFORMATION, header, cells)
    assert sheet.ok
    assert sheet.records == [
        {
            "sample_id": "S1",
            "species": "Homo sapiens",
            "assay name": "run 1",
            "file": "a.raw",
            "fraction": 1,
            "technical_replicate": 1,
            "comment[modification parameters]": "Ox",
            "comment[modification parameters] (2)": "CAM",
            "condition": "x",
            "factor value[disease]": "y",
        }
    ]


SEVERAL_FILES = [
    "source name",
    "comment[data file]",
    "comment[fraction identifier]",
    "comment[technical replicate]",
    "comment[label]",
]


@pytest.mark.parametrize(
    ("rows", "errors"),
    [
        ([["S1", "a.raw", "1", "1", "x"], ["S1", "b.raw", "2", "1", "x"]], []),
        ([["S1", "a.raw", "1", "1", "x"], ["S1", "b.raw", "1", "2", "x"]], []),
        ([["S1", "a.raw", "1", "1", "TMT126"], ["S1", "a.raw", "1", "1", "TMT127"]], []),
        ([["S1", "a.raw", "1", "1", "x"], ["S2", "b.raw", "1", "1", "x"]], []),
        (
            [["S1", "a.raw", "1", "1", "x"], ["S1", "b.raw", "1", "1", "x"]],
            ["“S1, 1, 1, x” is already in row 2."],
        ),
        ([["S1", "a.raw", "", "", ""], ["S1", "b.raw", "", "", ""]], ["“S1” is already in row 2."]),
        ([["S1", "a.raw", "1", "", ""], ["S1", "b.raw", "", "", ""]], []),
    ],
)
def test_read_sample_may_have_several_files_if_they_are_told_apart(rows, errors):
    assert issues(read(INFORMATION, SEVERAL_FILES, *rows), "error") == errors


def test_read_same_sample_twice_names_the_columns_that_tell_files_apart():
    sheet = read(INFORMATION, ["样品编号", "文件"], ["S1", "a.raw"], ["S1", "b.raw"])
    (issue,) = sheet.issues
    assert (issue.cell, issue.message) == ("A3", "“S1” is already in row 2.")
    assert issue.hint == (
        "The values of “Sample ID”, “Fraction”, “Replicate”, “Technical replicate” and “Label”"
        " must be unique."
    )


def test_read_sdrf_headers_with_other_blanks_and_case_are_recognized():
    header = ["Source Name", "Characteristics [Organism]", "Comment [data file]"]
    sheet = read(INFORMATION, header, ["S1", "Homo sapiens", "a.raw"])
    assert sheet.records == [{"sample_id": "S1", "species": "Homo sapiens", "file": "a.raw"}]


@pytest.mark.parametrize("first", [True, False])
def test_read_best_header_of_a_property_is_used_and_the_other_kept(first):
    header, cells = ["ID", "Sample"], ["1", "pat1"]
    if not first:
        header, cells = header[::-1], cells[::-1]
    sheet = read(INFORMATION, [*header, "Condition", "File"], [*cells, "A", "a.mzML"])
    assert sheet.records == [{"ID": "1", "sample_id": "pat1", "condition": "A", "file": "a.mzML"}]
    letter = "B" if first else "A"
    assert issues(sheet, "warning") == [
        f"Column {letter} (“Sample”) was used for “Sample ID”; this column is kept unchanged."
    ]
    assert sheet.ok


def test_read_same_header_twice_is_still_an_error():
    sheet = read(INFORMATION, ["Sample ID", "sample id", "File"], ["1", "2", "a"])
    assert issues(sheet, "error") == ["Columns A and B are both “Sample ID”."]


def test_read_columns_that_a_closed_sheet_does_not_have_are_left_out():
    header = ["sample", "fastq_1", "fastq_2", "strandedness", "lane", "fasta"]
    sheet = read(READS, header, ["a", "a_1.fq.gz", "a_2.fq.gz", "auto", "L001", "x.fa"])
    assert sheet.ok
    assert sheet.records == [{"sample": "a", "fastq_1": "a_1.fq.gz", "fastq_2": "a_2.fq.gz"}]
    assert issues(sheet, "warning") == [
        f"The workflow has no column “{name}”; it was left out." for name in header[3:]
    ]


def test_read_misspelled_column_of_a_closed_sheet_is_an_error():
    sheet = read(READS, ["sample", "fastq_1", "read_2s"], ["a", "a_1.fq.gz", "a_2.fq.gz"])
    assert issues(sheet, "error") == ["Unknown column."]
    assert sheet.issues[0].hint == "Did you mean Reads 2?"


@pytest.mark.parametrize(
    ("sample", "first", "second"),
    [
        ("sampleID", "forwardReads", "reverseReads"),  # nf-core/ampliseq
        ("sample", "short_reads_1", "short_reads_2"),  # nf-core/mag
        ("sample-id", "forward-absolute-filepath", "reverse-absolute-filepath"),  # QIIME 2
        ("sample_name", "fq1", "fq2"),  # Snakemake's catalog
        ("样品名称", "R1", "R2"),
    ],
)
def test_read_headers_of_other_programs_are_recognized(sample, first, second):
    sheet = read(READS, [sample, first, second], ["a", "a_1.fq", "a_2.fq"])
    assert sheet.issues == []
    assert sheet.records == [{"sample": "a", "fastq_1": "a_1.fq", "fastq_2": "a_2.fq"}]
