"""The faults, each with its weight in the random choice."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from tests.chaos.strikes import (
    Strike,
    fill_disk,
    freeze,
    kill,
    kill_at_start,
    kill_everything,
    kill_job,
    kill_snakemake,
    kill_supervisor,
    kill_whole_run,
    lock_storage,
    restart,
    stale_writer,
    stop,
    stop_database,
    strike_at_end,
)


@dataclass(frozen=True)
class Fault:
    name: str
    weight: int
    strike: Strike


FAULTS = (
    Fault("kill runner", 4, kill("runner")),
    Fault("kill fork server", 4, kill("fork server")),
    Fault("kill fork server at a start", 4, kill_at_start("fork server")),
    Fault("kill runner at a start", 4, kill_at_start("runner")),
    Fault("kill supervisor", 10, kill_supervisor),
    Fault("kill supervisor at an end", 6, strike_at_end(signal.SIGKILL)),
    Fault("stop supervisor at an end", 3, strike_at_end(signal.SIGSTOP)),
    Fault("kill Snakemake", 12, kill_snakemake),
    Fault("kill job", 8, kill_job),
    Fault("kill runner and a whole run", 6, kill_whole_run),
    Fault("kill mongod", 4, kill("mongod")),
    Fault("kill keeper of mongod", 2, kill("db")),
    Fault("stop database", 2, stop_database),
    Fault("kill API", 3, kill("api")),
    Fault("kill API worker", 3, kill("worker")),
    Fault("kill everything", 2, kill_everything),
    Fault("stop runner", 4, stop("runner")),
    Fault("stop fork server", 6, stop("fork server")),
    Fault("stop mongod", 4, stop("mongod")),
    Fault("stop API worker", 2, stop("worker")),
    Fault("stop supervisor", 6, freeze("supervisor")),
    Fault("stop Snakemake", 5, freeze("snakemake")),
    Fault("stop job", 4, freeze("jobs")),
    Fault("restart everything", 3, restart),
    Fault("fill the disk", 4, fill_disk),
    Fault("lock the storage of runs", 4, lock_storage),
    Fault("write as a stale attempt", 6, stale_writer),
)
