"""Cost of keeping a form: saves and reads of a draft, compared with reading a run.

`python -m bench.drafts [--rounds 300] [--rows 50]`. Each round saves a changed draft, saves it
again unchanged, and reads it, by one user; the peer is `runs.get` of a canceled run on the same
database. The draft has a sample sheet of `--rows` rows.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import stand
from services import bootstrap
from services.bootstrap import Services
from services.models import RunRequest
from services.settings import Settings

WORKFLOW = "form"
SNAKEFILE = "rule all:\n    shell: 'true'\n"
PEER = "runs.get"
WARM_UP_ROUNDS = 10


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--rows", type=int, default=50, help="of the sample sheet in the draft")
    chosen = parser.parse_args(arguments)
    size = len(json.dumps(content(0, chosen.rows)))
    what = f"drafts: {chosen.rounds} rounds with a draft of {size:,} bytes"
    with stand.reported(what), stand.folder() as place, opened(place) as services:
        ways = calls(services, chosen.rows)
        stand.taking_turns(WARM_UP_ROUNDS, ways)
        took = stand.taking_turns(chosen.rounds, ways)
    peer = stand.percentile(took[PEER], 50)
    for name, values in took.items():
        middle, slow = (stand.percentile(values, rank) for rank in (50, 95))
        print(
            f"  {name:24} p50 {middle * 1000:6.2f} ms, p95 {slow * 1000:6.2f} ms,"
            f" {middle / peer:5.2f} of {PEER}"
        )


@contextmanager
def opened(place: Path) -> Iterator[Services]:
    """Yield services with a database of their own; nothing executes runs."""
    snakefile = place / "workflows" / WORKFLOW / "workflow/Snakefile"
    snakefile.parent.mkdir(parents=True)
    snakefile.write_text(SNAKEFILE)
    with stand.mongod(place) as server:
        given = {
            "RUNDESK_DATA": str(place / "data"),
            "RUNDESK_DB_PORT": str(server.port),
            "RUNDESK_WORKFLOWS": str(place / "workflows"),
        }
        services = bootstrap.build(Settings.load(given))
        services.database.wait()
        services.database.create_indexes()
        yield services
        services.close()


def calls(services: Services, rows: int) -> dict[str, Callable[[], float]]:
    """Return the calls to time. An unchanged save repeats the content of the last one."""
    drafts, numbers = services.drafts, itertools.count()
    run = services.runs.submit(stand.ME, RunRequest(workflow=WORKFLOW, params={}))
    services.runs.cancel(stand.ME, run.id)  # a queued one would also need its position
    last = content(next(numbers), rows)
    drafts.save(stand.ME, WORKFLOW, last)

    def save_changed() -> float:
        nonlocal last
        last = content(next(numbers), rows)
        return timed(lambda: drafts.save(stand.ME, WORKFLOW, last))

    return {
        "drafts.save, changed": save_changed,
        "drafts.save, unchanged": lambda: timed(lambda: drafts.save(stand.ME, WORKFLOW, last)),
        "drafts.get": lambda: timed(lambda: drafts.get(stand.ME, WORKFLOW)),
        PEER: lambda: timed(lambda: services.runs.get(stand.ME, run.id)),
    }


def timed(call: Callable[[], object]) -> float:
    """Return the duration of a call in seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def content(number: int, rows: int) -> dict[str, Any]:
    """Return a filled form; each number gives another one."""
    samples = [
        {"sample": f"S{row}", "fastq_1": f"S{row}_R1.fastq.gz", "fastq_2": f"S{row}_R2.fastq.gz"}
        for row in range(rows)
    ]
    return {
        "params": {"evalue": 1e-3, "depth": number},
        "sheets": {"samples": samples},
        "files": {"reference": "65f0c0ffee0123456789abcd"},
        "name": f"Run {number}",
        "tags": ["bench"],
        "retries": 0,
        "priority": 0,
    }


if __name__ == "__main__":
    main()
