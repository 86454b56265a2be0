"""Every odd file of tests/data/odd through every reader of its format: all agree.

The check before a run and the readers of all workflows accept the files in `accepted`, and refuse
those in `refused` with a reason.
"""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services import sheets
from services.errors import RundeskError
from services.files import contents
from services.models import Input

ODD = Path(__file__).parents[2] / "data" / "odd"
WORKFLOWS = Path(__file__).parents[3] / "workflows"
for name in ("reads-qc", "amplicon-variants", "ms-report", "sequence-search"):
    sys.path.append(str(WORKFLOWS / name / "workflow" / "scripts"))

from amplicon_variants import reference  # noqa: E402
from ms_report import mzml, proteins  # noqa: E402
from ms_report.ending import InputProblem as RunProblem  # noqa: E402
from sequence_search import prepare  # noqa: E402
from sequence_search.fasta import InputProblem as SequenceProblem  # noqa: E402
from short_reads.checking import ReadsProblem, prepare_reads  # noqa: E402
from short_reads.names import common_name  # noqa: E402

pytestmark = pytest.mark.workflow

Reader = Callable[[Path, Path], None]  # file, empty folder; raises for a file that it refuses
READ_COUNTS = {"zero-length-read-last.fastq": 3}
ONE_READ = ("long-first-read.fastq.gz", "long-header.fastq.gz", "phred-64.fastq")
ROW = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("sample", "file", "note")},
    "required": ["sample"],
}


class Refused(Exception):
    """A reader refuses a file; the message is its reason."""


def checked(kind: str) -> Reader:
    """The check of a submission, with the file as the only one of its parameter."""

    def check(path: Path, _: Path) -> None:
        item = {"type": "string", "format": "file-path", "contents": kind}
        schema = {"properties": {"files": {"type": "array", "items": item}}}
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        entry = Input(
            field="files.0",
            file="f",
            name=path.name,
            path=path.name,
            size=path.stat().st_size,
            sha256=sha256,
        )
        try:
            contents.check(schema, [entry], lambda _: path)
        except RundeskError as error:
            raise Refused(error.problems[0].message) from error

    return check


def read_fastq(path: Path, folder: Path) -> None:
    targets = [str(folder / "1.fastq"), str(folder / "2.fastq")]
    result = prepare_reads([str(path)], targets)
    if not result["reads"]:
        raise Refused(result["problem"] or " ".join(result["notes"]))
    expected = READ_COUNTS.get(path.name, 1 if path.name in ONE_READ else 2)
    assert result["reads"] == expected
    content = contents.inspect(path, f"{path}", to_the_end=True)
    assert content.reads == expected, "the check and the workflow count the same reads"


def read_reference(path: Path, _: Path) -> None:
    try:
        lengths = reference.write_reference(str(path), target := io.StringIO())
    except reference.ReferenceProblem as error:
        raise Refused(str(error)) from error
    assert target.getvalue().isascii()
    assert next(iter(lengths)) == "one"


def read_proteins(path: Path, folder: Path) -> None:
    try:
        proteins.prepare(path, path.name, folder / "database.fasta")
    except RunProblem as error:
        raise Refused(str(error)) from error
    first = (folder / "database.fasta").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(">one ")
    assert "\t" not in first


def read_database(path: Path, folder: Path) -> None:
    cleaned, names = folder / "database.fasta", folder / "names.tsv"
    try:
        prepare.read_database(path, "protein", cleaned, names, "18")
    except SequenceProblem as error:
        raise Refused(str(error)) from error
    first = names.read_text(encoding="utf-8").splitlines()[0].split("\t")
    assert first[1] == "one"
    if path.name == "gb18030-header.fasta":
        assert first[3] == "蛋白质"
    if path.name == "latin-1-header.fasta":
        assert first[3] == "Müller"


def read_mzml(path: Path, _: Path) -> None:
    try:
        recording = mzml.read(path, path.name)
    except RunProblem as error:
        raise Refused(str(error)) from error
    assert recording.scans


def read_table(path: Path, _: Path) -> None:
    try:
        sheet = sheets.read(path, ROW)
    except RundeskError as error:
        raise Refused(str(error)) from error
    if not sheet.records:
        raise Refused("; ".join(issue.message for issue in sheet.issues) or "no rows")
    assert [record["note"] for record in sheet.records] == ["001", "1E3"]


READERS: dict[str, dict[str, Reader]] = {
    "fastq": {"check": checked("fastq"), "short_reads": read_fastq},
    "fasta": {
        "check": checked("fasta"),
        "amplicon-variants": read_reference,
        "ms-report": read_proteins,
        "sequence-search": read_database,
    },
    "mzml": {"check": checked("mzml"), "ms-report": read_mzml},
    "table": {"sheets": read_table},
}
PAIRS = [
    pytest.param(path, reader, id=f"{path.relative_to(ODD)}-{name}")
    for kind, readers in READERS.items()
    for path in sorted((ODD / kind).glob("*/*"))
    for name, reader in readers.items()
]


@pytest.mark.parametrize(("path", "reader"), PAIRS)
def test_readers_of_an_odd_file_agree(path, reader, tmp_path):
    if path.parent.name == "accepted":
        reader(path, tmp_path)
        return
    with pytest.raises(Refused) as refused:
        reader(path, tmp_path)
    assert str(refused.value).strip()


@pytest.mark.parametrize(
    "path", sorted(ODD.glob("*/*/*")), ids=lambda path: path.relative_to(ODD).as_posix()
)
def test_odd_file_as_a_sheet_is_read_or_refused_with_a_sentence(path):
    """The parser of tables also gets files of other formats, which were chosen by mistake."""
    try:
        found, reason = bool(sheets.read(path, ROW).records), ""
    except RundeskError as error:
        found, reason = False, str(error)
    assert found == (path.parent.parts[-2:] == ("table", "accepted") or path.name == "table.fastq")
    assert not reason or reason.endswith(".")


def test_odd_files_of_every_format_are_accepted_and_refused():
    folders = {path.parent.relative_to(ODD).as_posix() for path in ODD.glob("*/*/*")}
    assert folders == {f"{kind}/{side}" for kind in READERS for side in ("accepted", "refused")}


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ("r0/1", "r0/2", "r0"),
        ("SRR1.7.1", "SRR1.7.2", "SRR1.7"),
        ("r0_1", "r0_2", "r0"),
        ("r0:1", "r0:2", "r0"),
        ("r0-1", "r0-2", "r0"),
        ("r01", "r02", "r0"),
        ("r0_R1", "r0_R2", "r0"),
        ("r0/1", "r0/3", "r0"),
        ("r0#ACGT/1", "r0#ACGT/2", "r0#ACGT"),
        ("x/F", "x/r", "x"),
        ("M0_1:N:0:ACGT", "M0_2:N:0:ACGT", "M0"),
        ("same.1", "same.1", "same.1"),
        ("r0/1", "r1/2", None),
        ("r0/1", "r0.2", None),
        ("r0/1", "other", None),
        ("r0", "r0/2", None),
    ],
)
def test_names_of_mates_are_compared_alike_before_a_run_and_in_it(first, second, name):
    assert common_name(first, second) == name
    assert contents.common_name(first, second) == name


def test_fasta_lines_is_the_same_in_all_workflows():
    copies = {path.read_text() for path in WORKFLOWS.glob("*/workflow/scripts/*/fasta_lines.py")}
    assert len(copies) == 1


def test_reads_problem_is_a_row_and_not_an_exception(tmp_path):
    bad = tmp_path / "bad.fastq"
    bad.write_bytes(b"@a\nACGT\n+\nIII\n")
    result = prepare_reads([str(bad)], [str(tmp_path / "1"), str(tmp_path / "2")])
    assert result["reads"] == 0
    assert result["problem"].startswith("bad.fastq is not valid FASTQ")
    assert "\n" not in result["problem"]
    assert issubclass(ReadsProblem, Exception)
