"""Complete check of the FASTQ files of a sample."""

import zlib
from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path

import dnaio
from xopen import xopen


class ReadsProblem(Exception):
    """The files of a sample cannot be used. The message names the file and the reason."""


def count_reads(files: list[str]) -> dict[str, int]:
    """Count the reads (or pairs) and bases of a sample. Raises ReadsProblem.

    The two reads of a pair must have the same position and name, apart from the mate number.
    """
    counts = {"reads": 0, "bases": 0}
    names = [Path(file).name for file in files]
    for reads in zip_longest(*(records(file) for file in files)):
        missing = [read is None for read in reads]
        if any(missing):
            short = names[missing.index(True)]
            raise ReadsProblem(
                f"{' and '.join(names)} are not a pair: {short} has fewer reads "
                f"({counts['reads']:,}) than the other file."
            )
        if len(reads) == 2 and not reads[0].is_mate(reads[1]):
            raise ReadsProblem(
                f"{' and '.join(names)} are not a pair: the names of read {counts['reads'] + 1:,} "
                f"differ ({quoted(reads[0].id)} and {quoted(reads[1].id)})."
            )
        counts["reads"] += 1
        counts["bases"] += sum(len(read) for read in reads)
    if not counts["reads"]:
        raise ReadsProblem(f"{names[0]} contains no reads.")
    return counts


def records(file: str) -> Iterator[dnaio.SequenceRecord]:
    name = Path(file).name
    try:
        with xopen(file, "rb", threads=0) as stream:
            start = stream.read(1)
        if start == b">":
            raise ReadsProblem(
                f"{name} is a FASTA file; a FASTQ file with base qualities is required."
            )
        if start not in (b"@", b""):
            raise ReadsProblem(f"{name} is not a FASTQ file.")
        with closing(dnaio.open(file, fileformat="fastq")) as reader:
            yield from reader
    except dnaio.FileFormatError as error:
        where = f" at line {error.line + 1:,}" if error.line is not None else ""
        raise ReadsProblem(f"{name} is not valid FASTQ{where}: {error.message}") from None
    except (EOFError, OSError, zlib.error):
        raise ReadsProblem(
            f"{name} is damaged: its gzip data are truncated or corrupt. Upload it again."
        ) from None


def quoted(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:57]}...")
