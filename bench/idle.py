"""What a desk costs that has nothing to do, in percent of a core.

`python -m bench.idle [--seconds 30]`. The peer is the same runner when it looks at the queue every
50 ms instead of being told of changes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import psutil

from bench import stand
from bench.latency import WORKFLOW

CODE = "import services.runner as r; r.DISPATCH_INTERVAL_S = 0.05; r.main()"
POLLING = (sys.executable, "-c", CODE)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rest", type=float, default=5.0, help="seconds before that")
    chosen = parser.parse_args(arguments)
    seconds, rest = chosen.seconds, chosen.rest
    with stand.reported(f"idle: percent of a core that an idle desk takes, over {seconds:.0f} s"):
        told, polling = (measure(runner, seconds, rest) for runner in (stand.RUNNER, POLLING))
        for name, ours in told.items():
            print(f"  {name:8} {ours:5.2f} %   looking every 50 ms {polling[name]:5.2f} %")
        if not any(polling.values()):
            raise SystemExit("too short: not one tick of a processor was taken")
        ratio = sum(told.values()) / sum(polling.values())
        print(f"  together {ratio:.2f} of what looking every 50 ms takes")


def measure(runner: Sequence[str], seconds: float, rest: float) -> dict[str, float]:
    """Percent of a core per process of an idle desk."""
    with stand.folder() as place, stand.desk(place, {"begin": WORKFLOW}, runner=runner) as desk:
        desk.completed(desk.submit("begin"))  # everything is at work
        time.sleep(rest)
        process = psutil.Process(desk.runner)
        parts = {"runner": process, "mongod": psutil.Process(desk.database)}
        [parts["fork server"]] = process.children()
        before = {name: used(part) for name, part in parts.items()}
        time.sleep(seconds)
        return {name: (used(part) - before[name]) / seconds * 100 for name, part in parts.items()}


def used(process: psutil.Process) -> float:
    """CPU seconds so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
