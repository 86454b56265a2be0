"""The commands that repeat a run in a terminal of its host, without Rundesk."""

from __future__ import annotations

import shlex

from services.catalogue.layout import snakefile, snapshot_folder
from services.catalogue.schemas import Broken
from services.models import Run
from services.rundir import RunDir
from services.settings import Settings

FOLDER = "rerun"


def commands(settings: Settings, run: Run) -> str:
    """Return lines for a shell; "" when the run was never prepared or its workflow is gone."""
    rundir = RunDir.of(settings.data, run.id)
    inputs = (rundir.inputs, rundir.root / "config", rundir.config)
    existing = [shlex.quote(str(path)) for path in inputs if path.exists()]
    try:
        file = snakefile(snapshot_folder(settings.data, run.digest))
    except Broken:
        return ""
    if not rundir.config.exists():
        return ""
    command = [
        "snakemake",
        *("--snakefile", shlex.quote(str(file))),
        *("--directory", FOLDER),
        *("--configfile", f"{FOLDER}/{rundir.config.name}"),
        *("--cores", str(run.cores)),
    ]
    return f"mkdir {FOLDER}\ncp -r {' '.join(existing)} {FOLDER}/\n{' '.join(command)}\n"
