"""Reading of the sample sheet."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass


class SheetProblem(Exception):
    """The sample sheet cannot be used. The message names the row and the reason."""


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    files: tuple[str, ...]  # one, or the two of a pair

    @property
    def paired(self) -> bool:
        return len(self.files) == 2


def read_samples(path: str) -> list[Sample]:
    """Return the samples of a tab-separated table, in the order of its rows.

    Its columns are sample, fastq_1 and fastq_2. Raises SheetProblem for problems that the schema of
    a row does not cover, such as duplicate names.
    """
    with open(path, encoding="utf-8-sig", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    samples: dict[str, Sample] = {}
    for number, row in enumerate(rows, start=2):
        sample = read_row(row, number)
        if sample.name in samples:
            raise SheetProblem(f"Row {number}: the sample name {sample.name} is already used.")
        samples[sample.name] = sample
    if not samples:
        raise SheetProblem("The sample sheet has no samples.")
    return list(samples.values())


def read_row(row: dict, number: int) -> Sample:
    name, *files = ((row.get(column) or "").strip() for column in ("sample", "fastq_1", "fastq_2"))
    if not name:
        raise SheetProblem(f"Row {number}: the sample name is missing.")
    if not files[0]:
        raise SheetProblem(f"Row {number}: sample {name} has no file of reads 1 (fastq_1).")
    if files[0] == files[1]:
        raise SheetProblem(f"Row {number}: reads 1 and reads 2 of sample {name} are the same file.")
    return Sample(name, tuple(file for file in files if file))


def matching(names: Iterable[str]) -> str:
    """Return a wildcard constraint for these names; without names, it matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"
