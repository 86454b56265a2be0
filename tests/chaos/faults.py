"""The faults, and how often each is drawn."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from tests.chaos.strikes import (
    Strike,
    at_an_end,
    away,
    crash,
    fill_disk,
    freeze,
    kill,
    kill_at_a_start,
    kill_job,
    kill_snakemake,
    kill_supervisor,
    kill_whole_run,
    restart,
    stale_writer,
    stop,
)


@dataclass(frozen=True)
class Fault:
    name: str
    weight: int
    strike: Strike


FAULTS = (
    Fault("kill runner", 4, kill("runner")),
    Fault("kill nursery", 4, kill("nursery")),
    Fault("kill nursery at a start", 4, kill_at_a_start("nursery")),
    Fault("kill runner at a start", 4, kill_at_a_start("runner")),
    Fault("kill supervisor", 10, kill_supervisor),
    Fault("kill supervisor at an end", 6, at_an_end(signal.SIGKILL)),
    Fault("stop supervisor at an end", 3, at_an_end(signal.SIGSTOP)),
    Fault("kill Snakemake", 12, kill_snakemake),
    Fault("kill job", 8, kill_job),
    Fault("kill runner and a whole run", 6, kill_whole_run),
    Fault("kill mongod", 4, kill("mongod")),
    Fault("kill keeper of mongod", 2, kill("db")),
    Fault("database away", 2, away),
    Fault("kill API", 3, kill("api")),
    Fault("kill API worker", 3, kill("worker")),
    Fault("kill everything", 2, crash),
    Fault("stop runner", 4, stop("runner")),
    Fault("stop nursery", 6, stop("nursery")),
    Fault("stop mongod", 4, stop("mongod")),
    Fault("stop API worker", 2, stop("worker")),
    Fault("stop supervisor", 6, freeze("supervisor")),
    Fault("stop Snakemake", 5, freeze("snakemake")),
    Fault("stop job", 4, freeze("jobs")),
    Fault("restart everything", 3, restart),
    Fault("fill the disk", 4, fill_disk),
    Fault("write as a stale attempt", 6, stale_writer),
)
