"""The database is away for a minute in the middle of a run of many jobs."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from services.database.embedded.binary import find
from services.database.embedded.mongod import Mongod
from services.models import State
from services.settings import Settings
from tests.helpers.desk import running
from tests.helpers.waiting import free_port, until

OUTAGE = 60  # s
JOBS, CORES = 300, 2
BEFORE = 60  # jobs that are done when it begins
PATIENCE = OUTAGE + 240  # s for all of it


@pytest.mark.long
@pytest.mark.timeout(PATIENCE)
def test_all_jobs_are_known_after_an_outage(tmp_path):
    server = Mongod(find("", tmp_path / "lib"), tmp_path / "db", free_port())
    server.start()
    settings = Settings(data=tmp_path / "data", db_port=server.port, cores=CORES, run_cores=CORES)
    try:
        with running(settings) as desk:
            run_id = desk.submit("slow", jobs=JOBS, seconds=OUTAGE * CORES / JOBS)
            ledger = desk.folder(run_id) / "ledger"
            until(lambda: ledger.exists() and len(ledger.read_text().split()) >= BEFORE, PATIENCE)
            server.stop()
            gone = time.monotonic()
            until(lambda: time.monotonic() - gone >= OUTAGE, PATIENCE)
            during = len(ledger.read_text().split())
            server.start()
            run = until(lambda: found if (found := desk.run(run_id)).state.final else 0, PATIENCE)
            jobs = desk.jobs(run_id)
            starts = Counter(ledger.read_text().split())
    finally:
        server.stop()
    assert (run.state, run.error, len(run.attempts)) == (State.COMPLETE, None, 1)
    assert during > BEFORE  # it went on meanwhile
    assert len(jobs) == run.progress.done == JOBS + 2
    assert all(job.state is State.COMPLETE and job.started and job.ended for job in jobs)
    assert set(starts.values()) == {1}
