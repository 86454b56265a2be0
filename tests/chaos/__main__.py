"""`python -m tests.chaos`: executes runs under faults; exits with code 1 after a violation."""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys

from tests.chaos.disk import run_with_own_mounts
from tests.chaos.harness import FAULT_INTERVAL_S, Chaos
from tests.chaos.summary import summary


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, help="seed of the random faults and runs")
    help = "mean number of seconds between two faults"
    parser.add_argument("--pace", type=float, default=FAULT_INTERVAL_S, help=help)
    chosen = parser.parse_args()
    run_with_own_mounts()
    seed = random.SystemRandom().randrange(1_000_000) if chosen.seed is None else chosen.seed
    print(f"seed {seed}", flush=True)
    chaos = Chaos(runs=chosen.runs, faults=chosen.faults, seed=seed, pace=chosen.pace)
    logging.getLogger().setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the harness cleans up
    try:
        chaos.go()
    finally:
        print(summary(chaos), flush=True)
    return 1 if chaos.violations.found else 0


if __name__ == "__main__":
    sys.exit(main())
