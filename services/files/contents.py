"""Checks the content of input files against the format that their parameter requires.

A file parameter, or a column of a sample sheet, may declare `contents: fastq`, `fasta` or `mzml`.
The schema of a row may declare `mates: [fastq_1, fastq_2]`: two files with the reads of the same
pairs. Files that do not match are reported before anything runs.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast
from xml.parsers import expat

from services.errors import Invalid, Message, Problem, Text
from services.models import Input
from services.params.schema import flatten, sheet_fields
from services.params.validation import INVALID_PARAMETERS
from services.settings import MIB

HEAD_BYTES = 64 * 1024  # unpacked; enough to recognize most files
MAX_HEAD_BYTES = 16 * MIB  # unpacked; for a long first read, comment or XML prolog
TAIL_BYTES = 4 * 1024  # unpacked; the end tag of a complete mzML file is within these
MAX_READ_BYTES = 128 * MIB  # packed; of all files of one submission, about two seconds
MAX_UNPACKED_BYTES = 2048 * MIB  # of one file
MAX_CACHED_FILES = 4096  # files whose content is not read again

CORRUPT_GZIP = Message(
    "unreadable_file",
    "{name} is damaged: its gzip data is corrupt or incomplete.",
    hint="Upload the file again.",
)
TRUNCATED = Message(
    "unreadable_file", "{name} is damaged: its end is missing.", hint="Upload the file again."
)
WRONG_CONTENT = Message("wrong_kind_of_file", "{name} is {actual}, but {required} is required.")
GZIP_SUFFIX_MISSING = Message(
    "wrong_kind_of_file",
    "{name} is compressed with gzip, but its name does not end in .gz.",
    hint="Rename the file on your computer, then upload it again.",
)
GZIP_SUFFIX_WRONG = Message(
    "wrong_kind_of_file",
    "{name} is not compressed with gzip, but its name says so.",
    hint="Rename the file on your computer, then upload it again.",
)
MULTILINE_READS = Message(
    "wrong_kind_of_file",
    "{name} has reads whose sequences take several lines; each read must have four lines.",
    hint="Convert the file, for example with seqtk seq.",
)
ONE_SAMPLE_PER_ROW = "Put the two files of the same sample into one row."
SAME_CONTENT = Message(
    "not_unique", "{first} and {second} have the same content.", hint=ONE_SAMPLE_PER_ROW
)
DIFFERENT_READ_NAMES = Message(
    "wrong_kind_of_file",
    "{first} and {second} do not belong together: "
    "their first reads are named {first_read} and {second_read}.",
    hint=ONE_SAMPLE_PER_ROW,
)
DIFFERENT_READ_COUNTS = Message(
    "wrong_kind_of_file",
    "{first} and {second} do not belong together: "
    "they contain {first_count:,} and {second_count:,} reads.",
    hint=ONE_SAMPLE_PER_ROW,
)

ALL_EMPTY = Message(
    "wrong_kind_of_file",
    "{name} is empty, and no other file of this parameter contains data.",
)

FORMATS = {"fastq": "FASTQ", "fasta": "FASTA", "mzml": "mzML"}
OTHER_SIGNATURES = {
    b"PK\x03\x04": "a zip archive or an Excel file",
    b"%PDF": "a PDF",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\x1f\x8b": "compressed twice",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"\xd0\xcf\x11\xe0": "a Microsoft Office file of the old format",
    b"\x89HDF": "HDF5",
    b"CRAM": "CRAM alignments",
    b"BAM\x01": "BAM alignments",
    b"BCF": "BCF variants",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"@HD\t": "SAM alignments",
    b"@SQ\t": "SAM alignments",
    b"##fileformat=VCF": "VCF variants",
    b"##gff": "GFF annotation",
    b"LOCUS ": "GenBank",
}
MULTILINE = "FASTQ with sequences of several lines"
EMPTY = "empty"
UNDECIDED = ""  # more bytes are needed
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINES_PER_READ = 4
FASTQ = re.compile(rb"@[^\n]*\n[^\n]*\n\+")
#: Two or more lines of letters; the tools of the workflows read records of four lines only
MULTILINE_FASTQ = re.compile(rb"@[^\n]*\n(?:[A-Za-z.*~-]+\r?\n){2,}\+")
READ_NAME = re.compile(rb"@(\S*)")
MZML = re.compile(rb"<(indexedmzML|mzML)\b")
MZML_ROOTS = ("mzML", "indexedmzML")
# The mate number or letter at the end of a read name: /1, .1, _1, :1, -1, 1, _R1, /F. CASAVA writes
# more behind the number; its blank before the number is sometimes replaced by an underscore. The
# workflows for reads compare names in the same way.
MATE = re.compile(
    r"(?P<stem>.+?)(?P<separator>[/._:-]?[Rr]?)(?P<mate>[123])(?::[YN]:\d+:\S*)?"
    r"|(?P<letter_stem>.+)(?P<letter_separator>[/._:-])(?P<letter>[FRfr])"
)


@dataclass(frozen=True)
class Content:
    """The content of a file, as recognized from its bytes."""

    kind: str  # a key of FORMATS, or a description of anything else
    packed: bool  # with gzip
    read: str  # name of the first read of FASTQ
    whole: bool = True  # False: its gzip data or its format ends too early
    reads: int | None = None  # of FASTQ with four lines per read; None: not read to the end


class _End(NamedTuple):
    """Result of reading a file to its end; `lines` is None when the file was too long for that.

    Blank lines before the first and after the last other line are not counted, nor blanks in the
    tail.
    """

    lines: int | None
    tail: bytes


def check(schema: Mapping[str, Any], inputs: Sequence[Input], blob: Callable[[str], Path]) -> None:
    """Check the inputs whose parameters require a format; `blob` returns the path of a sha256.

    Files are read to their end until MAX_READ_BYTES are used up; of the others only the beginning
    is read. Raises Invalid with every problem.
    """
    left = MAX_READ_BYTES
    fields = flatten(dict(schema))["properties"]
    problems = []
    contents: dict[str, Content] = {}
    empty: list[Input] = []
    for entry in inputs:
        required = _field(fields, entry.field).get("contents")
        if required not in FORMATS:
            continue
        try:
            content = inspect(blob(entry.sha256), entry.sha256, to_the_end=entry.size <= left)
        except FileNotFoundError:
            continue  # deleted a moment ago: the submission itself reports that
        left -= entry.size if entry.size <= left else 0
        contents[entry.field] = content
        if content.kind == EMPTY and _collection(entry.field):
            empty.append(entry)
        elif text := _mismatch(entry.name, content, required):
            problems.append(Problem(f"params.{entry.field}", text))
    problems += _empty_problems(empty, contents, fields)
    wrong = {problem.field for problem in problems}
    good = {
        entry.field: entry
        for entry in inputs
        if entry.field in contents and f"params.{entry.field}" not in wrong
    }
    problems += _mate_problems(schema, good, contents)
    if problems:
        raise Invalid(INVALID_PARAMETERS(), problems=problems)


def _collection(field: str) -> str:
    """The list or sheet that a file is in; empty for a parameter of one file."""
    name, _, rest = field.partition(".")
    return name if rest else ""


def _empty_problems(
    empty: Sequence[Input], contents: Mapping[str, Content], fields: Mapping[str, Any]
) -> Iterator[Problem]:
    """Problems of empty files. One among others, such as a negative control, is not a problem."""
    for entry in empty:
        others = [
            content
            for field, content in contents.items()
            if _collection(field) == _collection(entry.field)
        ]
        if all(content.kind == EMPTY for content in others):
            required = FORMATS[_field(fields, entry.field)["contents"]]
            text = (
                ALL_EMPTY(name=entry.name)
                if len(others) > 1
                else WRONG_CONTENT(name=entry.name, actual=EMPTY, required=required)
            )
            yield Problem(f"params.{entry.field}", text)


def is_needed(schema: Mapping[str, Any]) -> bool:
    """Whether any parameter of a schema requires a format, so that `check` reads files."""
    return any(map(_requires_format, flatten(dict(schema))["properties"].values()))


def _requires_format(field: Any) -> bool:
    if not field or not isinstance(field, dict):
        return False
    inner = (*field.get("properties", {}).values(), field.get("items"), _row(field))
    return "contents" in field or any(map(_requires_format, inner))


@lru_cache(maxsize=MAX_CACHED_FILES)
def inspect(path: Path, sha256: str, *, to_the_end: bool) -> Content:  # noqa: ARG001 - cache key
    """Return what a file contains; `sha256` keeps the result of a changed file from being reused.

    Raises FileNotFoundError.
    """
    packed = False
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with _open_unpacked(path, packed) as stream:
            head = stream.read(HEAD_BYTES)
            kind = _kind(head)
            while kind == UNDECIDED:
                more = stream.read(len(head)) if len(head) < MAX_HEAD_BYTES else b""
                head += more
                kind = _kind(head, whole=not more)
        end = _end(path, packed) if to_the_end else None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return Content("damaged", packed, "", whole=False)
    first = READ_NAME.match(_text(head)) if kind == "fastq" else None
    complete = not end or end.lines is None or kind != "mzml" or b"mzML>" in end.tail
    return Content(
        kind,
        packed,
        first[1].decode("utf-8", "replace") if first else "",
        complete,
        None if not end or end.lines is None else (end.lines + 1) // LINES_PER_READ,
    )


def _open_unpacked(path: Path, packed: bool) -> BinaryIO:
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _text(head: bytes) -> bytes:
    """The first bytes without byte order mark, blanks and comments, and with line feeds only."""
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    while text.startswith(b";"):  # a comment of FASTA
        comment, end, rest = text.partition(b"\n")
        if not end:
            return comment
        text = rest.lstrip().removeprefix(BYTE_ORDER_MARK)
    return text


def _kind(head: bytes, *, whole: bool = False) -> str:
    """A key of FORMATS, or a description of what else a file with these first bytes is.

    UNDECIDED if more bytes are needed, unless this is the `whole` file or all that is read.
    """
    more_may_follow = not whole and len(head) >= HEAD_BYTES
    for signature, words in OTHER_SIGNATURES.items():
        if head.startswith(signature):
            return words
    text = _text(head)
    if not text:
        return UNDECIDED if more_may_follow else EMPTY
    if text.startswith(b";") and more_may_follow:
        return UNDECIDED
    if text.startswith(b">"):
        return "fasta"
    if FASTQ.match(text):
        return "fastq"
    if MULTILINE_FASTQ.match(text):
        return MULTILINE
    if text.startswith(b"@") and text.count(b"\n") < 2 and more_may_follow:
        return UNDECIDED
    if text.startswith(b"<"):
        return _markup(head.removeprefix(BYTE_ORDER_MARK), more_may_follow)
    if b"\0" in head:
        return "binary data"
    return "JSON" if text[:1] in b"{[" else "a table or other text"


def _markup(text: bytes, more_may_follow: bool) -> str:
    if text[:1].isspace() and text.lstrip().startswith(b"<?xml"):
        return "XML with blanks before its declaration"
    roots: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _: roots.append(name)
    try:
        parser.Parse(text)
    except expat.ExpatError:
        more_may_follow = False
    if not roots and more_may_follow:
        return UNDECIDED
    start = text[:1024].lower()
    if not roots and MZML.search(text):
        return "mzml"  # of a damaged file or an unusual encoding; the reader names the reason
    if roots and roots[0] in MZML_ROOTS:
        return "mzml"
    if b"<html" in start or b"<!doctype html" in start:
        return "a web page"
    if not roots:
        return "other XML"
    return "mzXML" if roots[0] in ("mzXML", "msRun") else "other XML"


def _end(path: Path, packed: bool) -> _End:
    """Read a file to its end. Raises BadGzipFile, EOFError or zlib.error when it is damaged."""
    ends, blank, size = 0, 0, 0  # `blank`: line ends after the last character
    tail = carriage_return = b""
    with _open_unpacked(path, packed) as stream:
        while block := stream.read(MIB):
            size += len(block)
            block = carriage_return + block
            carriage_return = b"\r" if block.endswith(b"\r") else b""
            block = block.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            if not tail:
                block = block.removeprefix(BYTE_ORDER_MARK).lstrip()
            body = block.rstrip(b"\n")
            if body:
                ends += blank + body.count(b"\n")
                tail = (tail + b"\n" * min(blank, TAIL_BYTES) + body)[-TAIL_BYTES:]
                blank = 0
            blank += len(block) - len(body)
            if size > MAX_UNPACKED_BYTES:
                return _End(None, b"")
    return _End(ends + bool(tail), tail)


def _mismatch(name: str, content: Content, required: str) -> Text | None:
    """The problem of a file that is not in the required format, if any."""
    if not content.whole:
        return CORRUPT_GZIP(name=name) if content.packed else TRUNCATED(name=name)
    if content.kind == MULTILINE and required == "fastq":
        return MULTILINE_READS(name=name)
    if content.kind != required:
        actual = FORMATS.get(content.kind, content.kind)
        return WRONG_CONTENT(name=name, actual=actual, required=FORMATS[required])
    if content.packed != name.lower().endswith((".gz", ".bgz", ".bgzf")):
        return (GZIP_SUFFIX_MISSING if content.packed else GZIP_SUFFIX_WRONG)(name=name)
    return None


def _mate_problems(
    schema: Mapping[str, Any], inputs: Mapping[str, Input], contents: Mapping[str, Content]
) -> Iterator[Problem]:
    """Problems of files that should contain the reads of the same pairs."""
    for name, field in sheet_fields(dict(schema)).items():
        mates = _row(field).get("mates")
        if not isinstance(mates, list) or len(mates) != 2:
            continue
        for row in sorted(set(_rows(name, contents))):
            first, second = (f"{name}.{row}.{column}" for column in mates)
            if first not in inputs or second not in inputs:
                continue
            pair = (inputs[first], inputs[second])
            if text := _mate_mismatch(pair, (contents[first], contents[second])):
                yield Problem(f"params.{second}", text)


def _rows(name: str, contents: Mapping[str, Content]) -> Iterator[int]:
    for field in contents:
        if field.startswith(f"{name}."):
            index, _, column = field.removeprefix(f"{name}.").partition(".")
            if column:
                yield int(index)


def _mate_mismatch(inputs: tuple[Input, Input], contents: tuple[Content, Content]) -> Text | None:
    """Why two files cannot contain the reads of the same pairs; None when they can."""
    names = {"first": inputs[0].name, "second": inputs[1].name}
    if inputs[0].sha256 == inputs[1].sha256 and contents[0].kind != EMPTY:
        return SAME_CONTENT(**names)
    first, second = (content.read for content in contents)
    if EMPTY not in (contents[0].kind, contents[1].kind) and common_name(first, second) is None:
        return DIFFERENT_READ_NAMES(**names, first_read=first[:80], second_read=second[:80])
    counts = [content.reads for content in contents if content.reads is not None]
    if len(set(counts)) > 1:
        return DIFFERENT_READ_COUNTS(**names, first_count=counts[0], second_count=counts[1])
    return None


def common_name(first: str, second: str) -> str | None:
    """Return the name of a pair from the names of its reads; None if they are not mates."""
    if first == second:
        return first
    marks = MATE.fullmatch(first), MATE.fullmatch(second)
    if not marks[0] or not marks[1]:
        return None
    (stem, *mark), (other_stem, *other_mark) = (_name_parts(match) for match in marks if match)
    return stem if (stem, mark[0]) == (other_stem, other_mark[0]) and mark != other_mark else None


def _name_parts(match: re.Match[str]) -> tuple[str, str, str]:
    """The name without its mate, the separator and the mate."""
    if match["mate"]:
        return match["stem"], match["separator"], match["mate"]
    return match["letter_stem"], match["letter_separator"], match["letter"].upper()


def _field(fields: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The schema of the parameter, item, part or column that an input is for."""
    name, *rest = path.split(".")
    field: Any = fields.get(name, {})
    for part in rest:
        inner = field.get("properties", {})
        field = inner[part] if part in inner else _row(field) or field.get("items", {})
        if not isinstance(field, dict):
            return {}
    return cast(Mapping[str, Any], field)


def _row(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a row of a sample sheet; empty when the parameter is not a sheet."""
    rows = field.get("rows")
    row = rows.get("items", rows) if isinstance(rows, dict) else {}
    return row if isinstance(row, dict) else {}
