"""Read depth along the reference: of each column of a figure, and of whole sequences."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

LENGTH, MEAN_DEPTH = slice(1, 3), 6  # columns of samtools coverage


def with_fragments_counted_once(coverage: str, depths: str) -> str:
    """Return the output of samtools coverage with the mean depths of another count.

    samtools coverage has no option to count a base once that both mates of a pair cover; samtools
    depth has one. `depths` is the path of its output, of the same reads, without limits.
    """
    totals = Counter[str]()
    for name, _, depth in _lines(depths):
        totals[name] += depth
    header, *rows = coverage.splitlines()
    table = [header]
    for row in rows:
        values = row.split("\t")
        start, end = map(int, values[LENGTH])
        values[MEAN_DEPTH] = f"{totals[values[0]] / (end - start + 1):.6g}"
        table.append("\t".join(values))
    return "".join(f"{row}\n" for row in table)


def read_depths(path: str, lengths: Mapping[str, int], columns: int) -> dict[str, list[float]]:
    """Return the mean depth of each column, by sequence, from the output of samtools depth.

    `lengths` are the lengths of the sequences to read; the others are skipped.
    """
    totals = {name: [0] * min(columns, length) for name, length in lengths.items()}
    for name, position, depth in _lines(path):
        if name in totals:
            bins = totals[name]
            bins[(position - 1) * len(bins) // lengths[name]] += depth
    return {name: means(bins, lengths[name]) for name, bins in totals.items()}


def means(totals: list[int], length: int) -> list[float]:
    positions = widths(length, len(totals))
    return [total / count for total, count in zip(totals, positions, strict=True)]


def widths(length: int, columns: int) -> list[int]:
    """Return the number of positions in each column."""
    edges = [-(-column * length // columns) for column in range(columns + 1)]
    return [end - start for start, end in pairwise(edges)]


def _lines(path: str) -> Iterator[tuple[str, int, int]]:
    """Yield sequence, position (1-based) and depth from the output of samtools depth."""
    with open(path, encoding="utf-8") as table:
        for line in table:
            name, position, depth = line.split("\t")[:3]
            yield name, int(position), int(depth)
