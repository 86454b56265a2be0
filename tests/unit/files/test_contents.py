"""Content of files against the formats that parameters require."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from services.errors import Invalid
from services.files import contents
from services.models import Input

FASTQ = b"@read/1 first\nACGT\n+\nIIII\n"
FASTA = b">a\nACGT\n"
MZML = b'<?xml version="1.0"?>\n<mzML version="1.1.0">\n<run/>\n</mzML>\n'
ROWS = {
    "properties": {
        "sample": {"type": "string"},
        "fastq_1": {"type": "string", "format": "file-path", "contents": "fastq"},
        "fastq_2": {"type": "string", "format": "file-path", "contents": "fastq"},
    },
    "mates": ["fastq_1", "fastq_2"],
}
SCHEMA = {
    "properties": {
        "reference": {"type": "string", "format": "file-path", "contents": "fasta"},
        "spectra": {
            "type": "array",
            "items": {"type": "string", "format": "file-path", "contents": "mzml"},
        },
        "samples": {"type": "string", "format": "file-path", "rows": ROWS},
        "anything": {"type": "string", "format": "file-path"},
    }
}


@pytest.fixture
def found(tmp_path):
    """The problems of files given as field=(name, content), by field."""

    def check(schema=SCHEMA, **given):
        inputs = []
        for field, (name, content) in given.items():
            sha256 = hashlib.sha256(content).hexdigest()
            (tmp_path / sha256).write_bytes(content)
            place = field.replace("__", ".")
            path = f"inputs/{place}"
            inputs.append(
                Input(field=place, file="f", name=name, path=path, size=len(content), sha256=sha256)
            )
        try:
            contents.check(schema, inputs, tmp_path.joinpath)
        except Invalid as error:
            return {one.field.removeprefix("params."): one.message for one in error.problems}
        return {}

    return check


def test_check_files_in_the_required_format_returns(found):
    assert not found(
        reference=("r.fa.gz", gzip.compress(FASTA)),
        spectra__0=("a.mzML", MZML),
        spectra__1=("b.mzML.gz", gzip.compress(MZML)),
        samples__0__fastq_1=("a_1.fastq.gz", gzip.compress(FASTQ)),
        samples__0__fastq_2=("a_2.fastq", b"@read/2\nTTTT\n+\nIIII\n"),
        samples__1__fastq_1=("windows.fastq", FASTQ.replace(b"\n", b"\r\n")),
        anything=("x.fa", b"no FASTA at all"),
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (FASTA, "is FASTA, but FASTQ is required."),
        (MZML, "is mzML, but"),
        (b"", "is empty, but"),
        (b"\n \n", "is empty, but"),
        (b"PK\x03\x04rest", "is a zip archive or an Excel file, but"),
        (b"\xff\xfe@\x00r\x00", "is text in UTF-16, but"),
        (b"<!DOCTYPE html><html>", "is a web page, but"),
        (b"sample,file\n", "is a table or other text, but"),
        (b'{"a": 1}', "is JSON, but"),
        (b"\x00\x01\x02", "is binary data, but"),
        (b"@SQ\tSN:1\n", "is SAM alignments, but"),
        (b"@ no record\nfollows\nhere\n", "is a table or other text, but"),
    ],
)
def test_check_wrong_format_names_the_actual_one(found, content, words):
    message = found(samples__2__fastq_1=("x.fastq", content))["samples.2.fastq_1"]
    assert message.startswith("x.fastq is ")
    assert words in message


@pytest.mark.parametrize("size", [12, 40, -4])
def test_check_finds_gzip_data_that_end_early(found, size):
    whole = gzip.compress(FASTQ * 500)
    message = found(samples__0__fastq_1=("a.fastq.gz", whole[:size]))["samples.0.fastq_1"]
    assert message == "a.fastq.gz is damaged: its gzip data is corrupt or incomplete."


def test_check_finds_one_changed_byte(found):
    whole = bytearray(gzip.compress(FASTQ * 500, compresslevel=0))
    whole[len(whole) // 2] ^= 1
    assert "is damaged" in found(samples__0__fastq_1=("a.fq.gz", bytes(whole)))["samples.0.fastq_1"]


def test_check_suffix_without_matching_compression_is_refused(found):
    packed = found(reference=("r.fa", gzip.compress(FASTA)))
    assert packed == {
        "reference": "r.fa is compressed with gzip, but its name does not end in .gz."
    }
    plain = found(reference=("r.fa.gz", FASTA))
    assert plain == {"reference": "r.fa.gz is not compressed with gzip, but its name says so."}


def test_check_finds_mzml_that_is_cut_or_no_xml(found):
    messages = found(spectra__0=("a.mzML", MZML[:40]), spectra__1=("b.mzML", b"scan 1\n"))
    assert messages == {
        "spectra.0": "a.mzML is damaged: its end is missing.",
        "spectra.1": "b.mzML is a table or other text, but mzML is required.",
    }


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (b"@other/2\nACGT\n+\nIIII\n", "their first reads are named read and other."),
        (b"@read/2\nTTTT\n+\nIIII\n@more\nA\n+\nI\n", "they contain 1 and 2 reads."),
        (FASTQ, "have the same content."),
    ],
)
def test_check_files_that_are_not_mates_are_refused(found, second, words):
    messages = found(samples__0__fastq_1=("1.fq", FASTQ), samples__0__fastq_2=("2.fq", second))
    assert list(messages) == ["samples.0.fastq_2"]
    assert words in messages["samples.0.fastq_2"]


def test_check_reads_only_the_beginning_of_files_above_the_limit(found, monkeypatch):
    monkeypatch.setattr(contents, "MAX_READ_BYTES", 1000)
    cut = gzip.compress(bytes(range(256)) * 2)[:-4]
    long = gzip.compress(FASTQ + b"".join(b"@%d\nA\n+\nI\n" % n for n in range(20_000)))[:-9]
    messages = found(
        samples__0__fastq_1=("short.fastq.gz", cut), samples__1__fastq_1=("long.fastq.gz", long)
    )
    assert list(messages) == ["samples.0.fastq_1"]


def test_is_needed_is_true_only_where_a_format_is_required():
    assert contents.is_needed(SCHEMA)
    assert contents.is_needed({"properties": {"samples": SCHEMA["properties"]["samples"]}})
    assert not contents.is_needed({"properties": {"a": SCHEMA["properties"]["anything"]}})


def test_check_ignores_a_deleted_file(found, tmp_path):
    content = b"@gone\nA\n+\nI\n"
    entry = Input(field="samples.0.fastq_1", file="f", name="a.fq", path="p", size=9, sha256="gone")
    contents.check(SCHEMA, [entry], tmp_path.joinpath)
    (tmp_path / "gone").write_bytes(content)
    assert contents.inspect(tmp_path / "gone", "gone", to_the_end=True).kind == "fastq"
