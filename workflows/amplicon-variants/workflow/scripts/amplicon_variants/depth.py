"""Read depth along the reference, binned into the columns of a figure."""

from collections.abc import Mapping
from itertools import pairwise


def read_depths(path: str, lengths: Mapping[str, int], columns: int) -> dict[str, list[float]]:
    """Return the mean depth of each column, by sequence, from the output of samtools depth.

    `lengths` are the lengths of the sequences to read; the others are skipped.
    """
    totals = {name: [0] * min(columns, length) for name, length in lengths.items()}
    with open(path, encoding="utf-8") as table:
        for line in table:
            name, position, depth = line.split("\t")[:3]
            if name in totals:
                bins = totals[name]
                bins[(int(position) - 1) * len(bins) // lengths[name]] += int(depth)
    return {name: means(bins, lengths[name]) for name, bins in totals.items()}


def means(totals: list[int], length: int) -> list[float]:
    positions = widths(length, len(totals))
    return [total / count for total, count in zip(totals, positions, strict=True)]


def widths(length: int, columns: int) -> list[int]:
    """Return the number of positions in each column."""
    edges = [-(-column * length // columns) for column in range(columns + 1)]
    return [end - start for start, end in pairwise(edges)]
