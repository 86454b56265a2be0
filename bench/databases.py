"""How much faster a search is when its database was searched before.

The first search reads and indexes the database, the second uses the cached index. The sequences are
random and new in every round.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
from collections.abc import Sequence

from bench.stand import ME, Desk, desk, folder, ratio, reported
from services.models import RunRequest

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
SEQUENCE_LENGTH = 350  # about the mean of UniProtKB


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    first, second = [], []
    with (
        reported(f"Searches in {options.sequences} proteins, new and cached"),
        folder() as place,
        desk(place, {}, max_runs="1") as stand,
    ):
        for number in range(options.rounds):
            params = inputs(stand, options.sequences, number)
            first.append(searched(stand, params))
            second.append(searched(stand, params))
        print(f"  first {statistics.median(first):.1f} s, second {statistics.median(second):.1f} s")
        print(f"  the second takes {ratio(second, first):.2f} of the time (median of pairs)")


def inputs(stand: Desk, sequences: int, number: int) -> dict[str, str]:
    """Register a database of random proteins, and one of them as the query."""
    chance = random.Random(number)
    proteins = ["".join(chance.choices(AMINO_ACIDS, k=SEQUENCE_LENGTH)) for _ in range(sequences)]
    database = "".join(f">s{place}\n{letters}\n" for place, letters in enumerate(proteins))
    texts = {"database": database, "queries": f">q\n{proteins[0]}\n"}
    files = stand.services.files
    return {
        name: files.register(ME, f"{name}.fasta", io.BytesIO(text.encode())).id
        for name, text in texts.items()
    }


def searched(stand: Desk, params: dict[str, str]) -> float:
    """Return the duration of a search in seconds."""
    request = RunRequest(workflow="sequence-search", params={**params, "chunks": 1})
    run = stand.completed(stand.services.runs.submit(ME, request).id)
    if run.started is None or run.ended is None:
        raise SystemExit("the run has no start or end time")
    return (run.ended - run.started).total_seconds()


if __name__ == "__main__":
    main()
