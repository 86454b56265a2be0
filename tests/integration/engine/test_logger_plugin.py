"""The logger plugin on an ordinary command line."""

from __future__ import annotations

import os
import subprocess
import sys

from services.models import State
from services.settings import HERE
from tests.helpers.desk import WORKFLOWS
from tests.helpers.runs import add_run, claim_run


def test_plain_snakemake_reports_to_a_run(settings, database, tmp_path):
    run = add_run(database.runs)
    claim = claim_run(database.queue)
    assert claim is not None
    snakefile = str(WORKFLOWS / "pair/workflow/Snakefile")
    place = ["--snakefile", snakefile, "--directory", str(tmp_path), "--cores", "1"]
    words = ["--logger", "rundesk", "--logger-rundesk-run", run.id]
    words += ["--logger-rundesk-database", settings.database]
    address = {"SNAKEMAKE_LOGGER_RUNDESK_URI": settings.uri}
    subprocess.run(
        [sys.executable, "-m", "snakemake", *place, *words],
        env={**os.environ, **address, "PYTHONPATH": str(HERE)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=60,
    )
    jobs = database.jobs.list(run.id, claim.attempt)
    assert sorted(job.rule for job in jobs) == ["all", "make", "make", "total"]
    assert {job.state for job in jobs} == {State.COMPLETE}
    stored = database.runs.get(run.id, None)
    assert (stored.progress.done, stored.progress.total) == (4, 4)
