"""The benchmarks run with small counts; their results are not checked.

Most start an installation of their own, so they are for `make test-long`.
"""

from __future__ import annotations

import re
import subprocess

import pytest

from services.host.launcher import program
from services.settings import HERE

SMALL = {
    "startup": (["--rounds", "1"], r"rundesk takes \d\.\d\d of plain"),
    "latency": (["--runs", "1", "--warm-up", "0"], r"rundesk is \d+\.\d times faster"),
    "overhead": (
        ["--jobs", "5", "--rounds", "1", "--calls", "2"],
        r"desk +\d+\.\d s, \d\.\d+ of plain.*\n(?s:.*)in run: rules \(2 jobs\): \d+ ms per job",
    ),
    "throughput": (["--runs", "2", "--rounds", "1"], r"rundesk takes \d+\.\d\d times as long"),
    "claims": (
        ["--queue", "40", "--seconds", "1", "--claimers", "2"],
        r" 2 claimers: +\d+ claims/s .*\n  claimed twice: 0",
    ),
    "sessions": (
        ["--sessions", "2", "--minutes", "0.05", "--jobs", "50", "--polls", "1"],
        r"polls/s of 1\.0 requested(?s:.*)MB in the last(?s:.*)a run of 50 jobs opens in",
    ),
    "drafts": (
        ["--rounds", "2", "--rows", "2"],
        r"drafts.save, changed +p50 +\d+\.\d\d ms(?s:.*)runs\.get +p50 +\d+\.\d\d ms",
    ),
    "slow": (
        ["--half-open", "5", "--uploads", "5", "--requests", "10", "--rounds", "1"],
        r"p99 .* with slow clients(?s:.*)10 requests with slow clients, none refused",
    ),
    "walls": (
        ["--runs", "1", "--jobs", "3", "--rounds", "1"],
        r"start of the first job +with the wall \d(?s:.*)3 jobs +with the wall \d",
    ),
    "databases": (
        ["--sequences", "200", "--rounds", "1"],
        r"the second takes \d+\.\d\d of the time",
    ),
    "api": (
        ["--seconds", "1", "--rounds", "1", "--connections", "2"],
        r"rundesk +\d+ requests/s, p99|wrk is not installed",
    ),
    "uploads": (
        ["--size", "2", "--rounds", "1"],
        r"shell +\d+ MiB/s(?s:.*)tus, slices +\d+ MiB/s at best, \d(?s:.*)at most \d+ MiB",
    ),
    "idle": (
        ["--seconds", "2", "--rest", "0"],
        r"together \d+\.\d\d of the time for polling every 50 ms",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_bench_runs_and_prints_its_ratio(name):
    arguments, line = SMALL[name]
    command = program(f"bench.{name}", *arguments)
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(line, done.stdout), done.stdout
    assert re.search(r"load average \d+\.\d before, \d+\.\d after", done.stdout)
