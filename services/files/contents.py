"""What the bytes of a file say it is, against what a parameter asks for.

A file parameter, or a column of a sample sheet, may say `contents: fastq`, `fasta` or `mzml`. The
schema of a row may say `mates: [fastq_1, fastq_2]`: two files with the reads of pairs. What does
not fit is told before anything runs.
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

from services.errors import Invalid, Problem
from services.models import Input
from services.params.schema import flatten, sheet_fields
from services.settings import MIB

HEAD = 64 * 1024  # unpacked bytes that tell what a file is
TAIL = 4 * 1024  # unpacked bytes in which a complete mzML file says that it ends
MOST_READ = 128 * MIB  # packed bytes read to the end for one submission, about two seconds
MOST_UNPACKED = 2048 * MIB  # unpacked bytes read of one file
REMEMBERED = 4096  # files whose content is not read again

NAMES = {"fastq": "FASTQ", "fasta": "FASTA", "mzml": "mzML"}
OTHERS = {
    b"PK\x03\x04": "a zip archive or an Excel file",
    b"%PDF": "a PDF",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\x1f\x8b": "compressed twice",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"\xd0\xcf\x11\xe0": "a file of an old Office",
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
FASTQ = re.compile(rb"@[^\n]*\n[^\n]*\n\+")
READ = re.compile(rb"@(\S*)")
MZML = re.compile(rb"<(indexedmzML|mzML)\b")
MATE = re.compile(r"[/.][12]$")


@dataclass(frozen=True)
class Content:
    """What a file was found to be."""

    kind: str  # a key of NAMES, or words for anything else
    packed: bool  # with gzip
    read: str  # name of the first read of FASTQ
    whole: bool = True  # False: its gzip data end early, or it ends before its format does
    lines: int | None = None  # None: it was not read to its end


class _End(NamedTuple):
    """What the last pass over a file saw; `lines` is None when it was too long to finish."""

    lines: int | None
    tail: bytes


def check(schema: Mapping[str, Any], inputs: Sequence[Input], blob: Callable[[str], Path]) -> None:
    """Look into the inputs whose parameters ask for a kind; `blob` tells where a sha256 lies.

    Raises Invalid with every problem. Files are read to their ends as far as MOST_READ goes; of
    the others only the beginning is looked at.
    """
    left = MOST_READ
    fields = flatten(dict(schema))["properties"]
    problems = []
    found: dict[str, Content] = {}
    for entry in inputs:
        wanted = _field(fields, entry.field).get("contents")
        if wanted not in NAMES:
            continue
        try:
            content = look(blob(entry.sha256), entry.sha256, to_the_end=entry.size <= left)
        except FileNotFoundError:
            continue  # deleted a moment ago: the submission itself says so
        left -= entry.size if entry.size <= left else 0
        found[entry.field] = content
        if words := _unfit(entry.name, content, wanted):
            problems.append(Problem(f"params.{entry.field}", *words))
    wrong = {problem.field for problem in problems}
    good = {
        entry.field: entry
        for entry in inputs
        if entry.field in found and f"params.{entry.field}" not in wrong
    }
    problems += _unpaired(schema, good, found)
    if problems:
        raise Invalid("The parameters do not fit the workflow.", problems=problems)


def asks(schema: Mapping[str, Any]) -> bool:
    """Whether any parameter of a schema asks for a kind of content."""
    return any(map(_asks, flatten(dict(schema))["properties"].values()))


def _asks(field: Any) -> bool:
    if not field or not isinstance(field, dict):
        return False
    inner = (*field.get("properties", {}).values(), field.get("items"), _row(field))
    return "contents" in field or any(map(_asks, inner))


@lru_cache(maxsize=REMEMBERED)
def look(path: Path, sha256: str, *, to_the_end: bool) -> Content:  # noqa: ARG001 - names content
    """What a file holds; `sha256` makes sure that only what did not change is remembered."""
    packed = False
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with _unpacked(path, packed) as stream:
            head = stream.read(HEAD)
        kind = _kind(head)
        end = _end(path, packed) if to_the_end else None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return Content("damaged", packed, "", whole=False)
    first = READ.match(head) if kind == "fastq" else None
    complete = not end or end.lines is None or kind != "mzml" or b"mzML>" in end.tail
    return Content(
        kind,
        packed,
        first[1].decode("utf-8", "replace") if first else "",
        complete,
        end.lines if end else None,
    )


def _unpacked(path: Path, packed: bool) -> BinaryIO:
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _kind(head: bytes) -> str:
    """A key of NAMES, or what else a file with that beginning is, in words."""
    for signature, words in OTHERS.items():
        if head.startswith(signature):
            return words
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return "empty"
    if text.startswith(b">"):
        return "fasta"
    if FASTQ.match(text):
        return "fastq"
    if text.startswith(b"<"):
        return _markup(text)
    if b"\0" in head:
        return "binary data"
    return "JSON" if text[:1] in b"{[" else "a table or other text"


def _markup(text: bytes) -> str:
    if MZML.search(text):
        return "mzml"
    if b"<mzXML" in text:
        return "mzXML"
    start = text[:1024].lower()
    return "a web page" if b"<html" in start or b"<!doctype html" in start else "other XML"


def _end(path: Path, packed: bool) -> _End:
    """Read a file to its end. Raises BadGzipFile, EOFError or zlib.error when it has none."""
    lines, size, tail = 0, 0, b""
    with _unpacked(path, packed) as stream:
        while block := stream.read(MIB):
            lines += block.count(b"\n")
            size += len(block)
            tail = (tail + block)[-TAIL:]
            if size > MOST_UNPACKED:
                return _End(None, b"")
    return _End(lines + (bool(tail) and not tail.endswith(b"\n")), tail)


def _unfit(name: str, content: Content, wanted: str) -> tuple[str, str] | None:
    """Message and hint when a file is not what is asked for."""
    if not content.whole:
        how = "its gzip data end early or are corrupt" if content.packed else "it ends too early"
        return f"{name} is damaged: {how}.", "Send the file again."
    if content.kind != wanted:
        is_what = NAMES.get(content.kind, content.kind)
        return f"{name} is {is_what}, but {NAMES[wanted]} is needed here.", ""
    if content.packed != name.lower().endswith((".gz", ".bgz", ".bgzf")):
        if content.packed:
            return f"{name} is compressed with gzip, but its name has no .gz.", "Rename it."
        return f"{name} is not compressed with gzip, as its name says.", "Rename it."
    return None


def _unpaired(
    schema: Mapping[str, Any], inputs: Mapping[str, Input], found: Mapping[str, Content]
) -> Iterator[Problem]:
    """What is wrong with files that should hold the reads of the same pairs."""
    for name, field in sheet_fields(dict(schema)).items():
        mates = _row(field).get("mates")
        if not isinstance(mates, list) or len(mates) != 2:
            continue
        for row in sorted(set(_rows(name, found))):
            first, second = (f"{name}.{row}.{column}" for column in mates)
            if first not in inputs or second not in inputs:
                continue
            pair = (inputs[first], inputs[second])
            if words := _unlike(pair, (found[first], found[second])):
                hint = "Put the two files of the same sample into one row."
                yield Problem(f"params.{second}", words, hint)


def _rows(name: str, found: Mapping[str, Content]) -> Iterator[int]:
    for field in found:
        parts = field.split(".")
        if parts[0] == name and len(parts) == 3:
            yield int(parts[1])


def _unlike(inputs: tuple[Input, Input], found: tuple[Content, Content]) -> str:
    """Why two files cannot hold the reads of the same pairs; empty when they can."""
    one, other = inputs
    if one.sha256 == other.sha256:
        return f"{one.name} and {other.name} have the same content."
    first, second = (MATE.sub("", content.read) for content in found)
    if first != second:
        return (
            f"{one.name} and {other.name} do not belong together: their first reads are named "
            f"{first[:80]} and {second[:80]}."
        )
    counts = [content.lines // 4 for content in found if content.lines is not None]
    if len(set(counts)) > 1:
        return (
            f"{one.name} and {other.name} do not belong together: they hold {counts[0]:,} and "
            f"{counts[1]:,} reads."
        )
    return ""


def _field(fields: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """The schema of the parameter, item, part or column that an input is for."""
    name, *rest = place.split(".")
    field: Any = fields.get(name, {})
    for part in rest:
        inner = field.get("properties", {})
        field = inner[part] if part in inner else _row(field) or field.get("items", {})
        if not isinstance(field, dict):
            return {}
    return cast(Mapping[str, Any], field)


def _row(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a row of a sample sheet; empty when the parameter is none."""
    rows = field.get("rows")
    row = rows.get("items", rows) if isinstance(rows, dict) else {}
    return row if isinstance(row, dict) else {}
