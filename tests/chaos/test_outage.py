"""The database is unavailable for a minute during a run with many jobs."""

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

OUTAGE_S = 60
JOBS, CORES = 300, 2
JOBS_BEFORE_OUTAGE = 60
TEST_TIMEOUT_S = OUTAGE_S + 240


@pytest.mark.long
@pytest.mark.timeout(TEST_TIMEOUT_S)
def test_all_jobs_are_recorded_after_an_outage(tmp_path):
    server = Mongod(find("", tmp_path / "lib"), tmp_path / "db", free_port())
    server.start()
    settings = Settings(data=tmp_path / "data", db_port=server.port, cores=CORES, run_cores=CORES)
    try:
        with running(settings) as desk:
            run_id = desk.submit("slow", jobs=JOBS, seconds=OUTAGE_S * CORES / JOBS)
            ledger = desk.folder(run_id) / "ledger"
            until(
                lambda: ledger.exists() and len(ledger.read_text().split()) >= JOBS_BEFORE_OUTAGE,
                TEST_TIMEOUT_S,
            )
            server.stop()
            start = time.monotonic()
            until(lambda: time.monotonic() - start >= OUTAGE_S, TEST_TIMEOUT_S)
            during = len(ledger.read_text().split())
            server.start()
            run = until(
                lambda: found if (found := desk.run(run_id)).state.final else 0, TEST_TIMEOUT_S
            )
            jobs = desk.jobs(run_id)
            starts = Counter(ledger.read_text().split())
    finally:
        server.stop()
    assert (run.state, run.error, len(run.attempts)) == (State.COMPLETE, None, 1)
    assert during > JOBS_BEFORE_OUTAGE  # the run continued meanwhile
    assert len(jobs) == run.progress.done == JOBS + 2
    assert all(job.state is State.COMPLETE and job.started and job.ended for job in jobs)
    assert set(starts.values()) == {1}
