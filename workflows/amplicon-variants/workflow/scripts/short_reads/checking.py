"""Complete check of the FASTQ files of a sample, and their normalization."""

import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import dnaio
from xopen import xopen

from short_reads import qualities
from short_reads.lines import NOT_ASCII, TidyLines
from short_reads.names import common_name

BATCH_READS = 2000  # reads that are examined together
COMPRESSION_LEVEL = 1

Pair = tuple[dnaio.SequenceRecord, ...]  # one read, or the two of a pair


class ReadsProblem(Exception):
    """The files of a sample cannot be used. The message names the file and the reason."""


@dataclass
class Survey:
    """Properties of the reads of a sample. The two reads of a pair count as one read."""

    reads: int = 0
    bases: int = 0
    without_bases: int = 0  # reads; of pairs, both reads
    longest: int = 0
    renamed: bool = False  # mates have different names
    rewritten: bool = False  # line ends or characters differ from those that tools read
    not_ascii: bool = False  # in a name
    letters: list[set[str]] = field(default_factory=list)  # of the qualities, by file

    @property
    def encoding(self) -> str:
        return qualities.encoding_of(set().union(*self.letters), self.longest)

    @property
    def needs_copy(self) -> bool:
        return self.renamed or self.rewritten or self.encoding != qualities.PHRED33


def count_reads(files: Sequence[str]) -> dict[str, int]:
    """Return the number of reads (or pairs) and bases of a sample. Raises ReadsProblem."""
    survey = survey_reads(files)
    return {"reads": survey.reads, "bases": survey.bases}


def survey_reads(files: Sequence[str]) -> Survey:
    """Read all files of a sample to their end. Raises ReadsProblem.

    The two reads of a pair must have the same position and name, apart from the mate number.
    """
    survey = Survey(letters=[set() for _ in files])
    names = [Path(file).name for file in files]
    tidy: list[TidyLines] = []
    batch: list[Pair] = []
    for reads in zip_longest(*(records(file, tidy) for file in files)):
        if reads[0] is None or reads[-1] is None:
            short = names[0 if reads[0] is None else -1]
            raise ReadsProblem(
                f"{' and '.join(names)} are not a pair: {short} has fewer reads "
                f"({survey.reads:,}) than the other file."
            )
        if len(reads) == 2 and (first := reads[0].id) != (second := reads[1].id):
            if common_name(first, second) is None:
                raise ReadsProblem(
                    f"{' and '.join(names)} are not a pair: the names of read "
                    f"{survey.reads + 1:,} differ ({quoted(first)} and {quoted(second)})."
                )
            survey.renamed = True
        survey.reads += 1
        batch.append(reads)
        if len(batch) >= BATCH_READS:
            add_batch(survey, batch, names, tidy)
            batch.clear()
    add_batch(survey, batch, names, tidy)
    survey.rewritten = any(lines.changed for lines in tidy)
    return survey


def add_batch(
    survey: Survey, batch: Sequence[Pair], names: Sequence[str], tidy: Sequence[TidyLines]
) -> None:
    """Add the lengths and letters of some reads to the survey. Raises ReadsProblem."""
    not_ascii = any(lines.not_ascii for lines in tidy)
    lengths = [sum(map(len, reads)) for reads in batch]
    survey.bases += sum(lengths)
    survey.without_bases += lengths.count(0)
    for letters, reads, name in zip(survey.letters, zip(*batch, strict=True), names, strict=False):
        survey.longest = max(survey.longest, *map(len, reads), 0)
        letters.update("".join([read.qualities for read in reads]))
        for letter in sorted(letters):
            if not qualities.LOWEST <= letter <= qualities.HIGHEST:
                raise ReadsProblem(
                    f"{name} is not valid FASTQ: the qualities contain the character {letter!r}."
                )
        if not_ascii:
            survey.not_ascii = survey.not_ascii or any(NOT_ASCII in read.name for read in reads)
            if wrong := next((read for read in reads if NOT_ASCII in read.sequence), None):
                raise ReadsProblem(
                    f"{name} is not valid FASTQ: the bases of read {quoted(wrong.id)} contain "
                    "characters that are not ASCII."
                )


def records(file: str, tidy: list[TidyLines] | None = None) -> Iterator[dnaio.SequenceRecord]:
    """Yield the reads of a file with normalized lines; appends its TidyLines to `tidy`.

    Raises ReadsProblem.
    """
    name = Path(file).name
    try:
        with open(file, "rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with xopen(file, "rb", threads=0, format="gz") if packed else open(file, "rb") as stream:
            lines = TidyLines(stream)
            if tidy is not None:
                tidy.append(lines)
            buffered = io.BufferedReader(lines, 1 << 17)
            start = buffered.peek(1)[:1]
            if start == b">":
                raise ReadsProblem(
                    f"{name} is a FASTA file; a FASTQ file with base qualities is required."
                )
            if start not in (b"@", b""):
                raise ReadsProblem(f"{name} is not a FASTQ file.")
            with closing(dnaio.open(buffered, fileformat="fastq")) as reader:
                yield from reader
    except dnaio.FileFormatError as error:
        where = f" at line {error.line + 1:,}" if error.line is not None else ""
        reason = " ".join(str(error.message).split())
        raise ReadsProblem(f"{name} is not valid FASTQ{where}: {reason}") from None
    except (EOFError, OSError, zlib.error):
        raise ReadsProblem(
            f"{name} is damaged: its gzip data are truncated or corrupt. Upload it again."
        ) from None


def prepare_reads(files: Sequence[str], targets: Sequence[str]) -> dict:
    """Check the files of a sample and provide them for the tools under the paths `targets`.

    Files that need no change are linked. Of the others, a copy is written: with line feeds, one
    name for both reads of a pair, and Phred+33. A sample that cannot be used has no reads, so that
    the other samples can be processed. Returns the counts, notes and the problem of the sample.
    """
    try:
        survey = survey_reads(files)
    except ReadsProblem as problem:
        write_empty(targets)
        return {"reads": 0, "bases": 0, "notes": [], "problem": str(problem)}
    if survey.needs_copy:
        write_copies(files, targets, survey)
    else:
        link(files, targets)
    return {
        "reads": survey.reads,
        "bases": survey.bases,
        "notes": notes(survey, [Path(file).name for file in files]),
        "problem": "",
    }


def write_empty(targets: Sequence[str]) -> None:
    for target in targets:
        Path(target).write_bytes(b"")


def link(files: Sequence[str], targets: Sequence[str]) -> None:
    for file, target in zip_longest(files, targets):
        path = Path(target)
        path.unlink(missing_ok=True)
        if file is None:
            path.touch()
        else:
            path.symlink_to(os.path.relpath(Path(file).resolve(), path.parent.resolve()))


def write_copies(files: Sequence[str], targets: Sequence[str], survey: Survey) -> None:
    encoding = survey.encoding
    table = None if encoding == qualities.PHRED33 else qualities.to_phred33(encoding)
    write_empty(targets)
    writers = [
        xopen(target, "wb", compresslevel=COMPRESSION_LEVEL, threads=0, format="gz")
        for target, _ in zip(targets, files, strict=False)
    ]
    try:
        for reads in zip(*map(records, files), strict=True):
            rename(reads)
            for read, writer in zip(reads, writers, strict=True):
                if table is not None:
                    read.qualities = read.qualities.translate(table)
                writer.write(read.fastq_bytes())
    finally:
        for writer in writers:
            writer.close()


def rename(reads: Sequence[dnaio.SequenceRecord]) -> None:
    """Give both reads of a pair the same name, in ASCII. The rest of the header stays."""
    ids = [read.id for read in reads]
    if len(ids) == 2 and ids[0] != ids[1]:
        stem = common_name(*ids)
        for read, name in zip(reads, ids, strict=True):
            read.name = f"{stem}{read.name[len(name) :]}"
    for read in reads:
        if NOT_ASCII in read.name:
            read.name = read.name.replace(NOT_ASCII, "_")


def notes(survey: Survey, names: Sequence[str]) -> list[str]:
    """Return notes for the readers of the report."""
    sentences = []
    if not survey.reads:
        sentences.append(f"{' and '.join(names)} contain{'s' * (len(names) == 1)} no reads.")
    elif survey.without_bases:
        sentences.append(f"{survey.without_bases:,} of {survey.reads:,} reads have no bases.")
    if survey.encoding != qualities.PHRED33:
        sentences.append(f"The qualities were converted from {survey.encoding} to Phred+33.")
    if survey.not_ascii:
        sentences.append("Characters in read names that are not ASCII were replaced by _.")
    return sentences


def quoted(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:57]}...")
