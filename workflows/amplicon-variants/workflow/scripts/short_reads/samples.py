"""The sample sheet: which samples there are, and which files hold their reads."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass


class SheetProblem(Exception):
    """The sample sheet cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    files: tuple[str, ...]  # one, or the two of a pair

    @property
    def paired(self) -> bool:
        return len(self.files) == 2


def read_samples(path: str) -> list[Sample]:
    """The samples of a table with the columns sample, fastq_1 and fastq_2, in its order.

    Raises SheetProblem for what the schema of a row cannot see.
    """
    with open(path, encoding="utf-8-sig", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    samples: dict[str, Sample] = {}
    for number, row in enumerate(rows, start=2):
        sample = read_row(row, number)
        if sample.name in samples:
            raise SheetProblem(f"Row {number}: there are two samples with the name {sample.name}.")
        samples[sample.name] = sample
    if not samples:
        raise SheetProblem("The sample sheet names no sample.")
    return list(samples.values())


def read_row(row: dict, number: int) -> Sample:
    name, *files = ((row.get(column) or "").strip() for column in ("sample", "fastq_1", "fastq_2"))
    if not name:
        raise SheetProblem(f"Row {number}: the sample has no name.")
    if not files[0]:
        raise SheetProblem(f"Row {number}: sample {name} has no file of reads 1 (fastq_1).")
    if files[0] == files[1]:
        raise SheetProblem(f"Row {number}: reads 1 and reads 2 of sample {name} are the same file.")
    return Sample(name, tuple(file for file in files if file))


def matching(names: Iterable[str]) -> str:
    """A wildcard constraint for these names; nothing matches when there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"
