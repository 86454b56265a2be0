"""Processor time of an idle installation, in percent of a core.

`python -m bench.idle [--seconds 30]`. The peer is the same runner polling the queue every 50 ms
instead of watching it for changes.
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
    parser.add_argument("--rest", type=float, default=5.0, help="seconds to wait before measuring")
    chosen = parser.parse_args(arguments)
    seconds, rest = chosen.seconds, chosen.rest
    with stand.reported(f"idle: percent of a core, over {seconds:.0f} s"):
        watching, polling = (measure(runner, seconds, rest) for runner in (stand.RUNNER, POLLING))
        for name, ours in watching.items():
            print(f"  {name:8} {ours:5.2f} %   polling every 50 ms {polling[name]:5.2f} %")
        if not any(polling.values()):
            raise SystemExit("the measurement is too short: no processor time was used")
        ratio = sum(watching.values()) / sum(polling.values())
        print(f"  together {ratio:.2f} of the time for polling every 50 ms")


def measure(runner: Sequence[str], seconds: float, rest: float) -> dict[str, float]:
    """Return percent of a core by process of an idle installation."""
    with stand.folder() as place, stand.desk(place, {"begin": WORKFLOW}, runner=runner) as desk:
        desk.completed(desk.submit("begin"))  # now every process has started
        time.sleep(rest)
        process = psutil.Process(desk.runner)
        parts = {"runner": process, "mongod": psutil.Process(desk.database)}
        [parts["fork server"]] = process.children()
        before = {name: used(part) for name, part in parts.items()}
        time.sleep(seconds)
        return {name: (used(part) - before[name]) / seconds * 100 for name, part in parts.items()}


def used(process: psutil.Process) -> float:
    """Return the processor time used so far, in seconds."""
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
