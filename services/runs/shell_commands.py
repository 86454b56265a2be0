"""The commands that do a run again at a terminal of its host, without the desk."""

from __future__ import annotations

import shlex

from services.catalogue.layout import snakefile, snapshot_folder
from services.catalogue.schemas import Broken
from services.models import Run
from services.rundir import RunDir
from services.settings import Settings

FOLDER = "again"


def commands(settings: Settings, run: Run) -> str:
    """Lines for a shell; empty when the run was never prepared, or its workflow is gone."""
    rundir = RunDir.of(settings.data, run.id)
    given = (rundir.inputs, rundir.root / "config", rundir.config)
    there = [shlex.quote(str(path)) for path in given if path.exists()]
    try:
        file = snakefile(snapshot_folder(settings.data, run.digest))
    except Broken:
        return ""
    if not rundir.config.exists():
        return ""
    words = [
        "snakemake",
        *("--snakefile", shlex.quote(str(file))),
        *("--directory", FOLDER),
        *("--configfile", f"{FOLDER}/{rundir.config.name}"),
        *("--cores", str(run.cores)),
    ]
    return f"mkdir {FOLDER}\ncp -r {' '.join(there)} {FOLDER}/\n{' '.join(words)}\n"
