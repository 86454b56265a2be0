"""The commands that repeat a run in a terminal of its host, without Rundesk."""

from __future__ import annotations

import shlex
from pathlib import Path

from services.catalogue.configuration import Broken
from services.catalogue.layout import OWN, files, snapshot_folder
from services.engine.arguments import workflow_arguments
from services.models import Run
from services.rundir import RunDir
from services.settings import Settings

FOLDER = Path("rerun")


def commands(settings: Settings, run: Run) -> str:
    """Return lines for a shell; "" when the run was never prepared or its workflow is gone."""
    rundir, workflow = RunDir.of(settings.data, run.id), snapshot_folder(settings.data, run.digest)
    if not any(path.exists() for path in (rundir.root / "config", rundir.config)):
        return ""
    try:
        words = workflow_arguments(workflow, rundir)
    except Broken:
        return ""
    own = [rundir.inputs, rundir.root / "config", rundir.config, rundir.profile]
    others = sorted({path.partition("/")[0] for path in files(workflow)} - {"config", OWN})
    copied = [path for path in own if path.exists()] + [workflow / name for name in others]
    listed = " ".join(shlex.quote(str(path)) for path in copied)
    shown = [_moved(word, rundir) for word in words]
    command = f"snakemake {shlex.join(shown)} --cores {run.cores}"
    return f"mkdir {FOLDER}\ncp -r {listed} {FOLDER}/\n{command}\n"


def _moved(word: str, rundir: RunDir) -> str:
    """Return an argument with the new folder in place of the run directory."""
    path = Path(word)
    if not path.is_relative_to(rundir.root):
        return word
    return str(FOLDER / path.relative_to(rundir.root))
