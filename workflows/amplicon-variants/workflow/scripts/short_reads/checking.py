"""Reads a sample's files to their ends and says in words what is wrong with them."""

import zlib
from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path

import dnaio
from xopen import xopen


class ReadsProblem(Exception):
    """The files of a sample cannot be used; the message says which and why."""


def count_reads(files: list[str]) -> dict[str, int]:
    """Reads (or pairs) and nucleotides of a sample. Raises ReadsProblem.

    Reads of a pair have the same name, up to the mark of the mate, at the same place.
    """
    counts = {"reads": 0, "bases": 0}
    names = [Path(file).name for file in files]
    for reads in zip_longest(*(records(file) for file in files)):
        missing = [read is None for read in reads]
        if any(missing):
            short = names[missing.index(True)]
            raise ReadsProblem(
                f"{' and '.join(names)} do not belong together: {short} has only "
                f"{counts['reads']:,} reads, the other has more."
            )
        if len(reads) == 2 and not reads[0].is_mate(reads[1]):
            raise ReadsProblem(
                f"{' and '.join(names)} do not belong together: pair {counts['reads'] + 1:,} has "
                f"the names {shown(reads[0].id)} and {shown(reads[1].id)}."
            )
        counts["reads"] += 1
        counts["bases"] += sum(len(read) for read in reads)
    if not counts["reads"]:
        raise ReadsProblem(f"{names[0]} holds no reads.")
    return counts


def records(file: str) -> Iterator[dnaio.SequenceRecord]:
    name = Path(file).name
    try:
        with xopen(file, "rb", threads=0) as stream:
            start = stream.read(1)
        if start == b">":
            raise ReadsProblem(f"{name} is FASTA, not FASTQ: it has no qualities.")
        if start not in (b"@", b""):
            raise ReadsProblem(f"{name} is not FASTQ.")
        with closing(dnaio.open(file, fileformat="fastq")) as reader:
            yield from reader
    except dnaio.FileFormatError as error:
        where = f" at line {error.line + 1:,}" if error.line is not None else ""
        raise ReadsProblem(f"{name} is not good FASTQ{where}: {error.message}") from None
    except (EOFError, OSError, zlib.error):
        raise ReadsProblem(
            f"{name} is damaged: its gzip data end early or are corrupt, so please send it again."
        ) from None


def shown(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:57]}...")
