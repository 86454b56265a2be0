"""Create the Snakemake report of a run (`snakemake --report`) when it is first requested."""

from __future__ import annotations

import threading
from pathlib import Path

from services.catalogue.configuration import Broken
from services.catalogue.layout import snapshot_folder
from services.engine import confinement, oneshot
from services.engine.arguments import workflow_arguments
from services.engine.walled import Confinement
from services.errors import Conflict, Message, Never, NotFound, NotYet
from services.host.atomic import draft_of
from services.host.disk import disk_full_as_error
from services.models import Actor, State
from services.results.service import WORKFLOW_GONE
from services.rundir import RunDir
from services.runs import Runs
from services.settings import Settings

NOT_COMPLETE = Message(
    "wrong_state", "Only completed runs have a Snakemake report; this run is {state}."
)
REPORTS_BUSY = Message(
    "busy", "Another Snakemake report is being created.", hint="Try again in a moment."
)
REPORT_FAILED = Message(
    "system_error", "Snakemake could not create the report.", hint="{last_line}"
)
REPORT_TIMED_OUT = Message(
    "system_error", "Snakemake did not create the report within {seconds:g} seconds."
)


MADE = ".report.html"


class Reports:
    """Creates each report once, and one report at a time."""

    def __init__(
        self, settings: Settings, runs: Runs, *, patience: float = oneshot.ONESHOT_TIMEOUT_S
    ) -> None:
        self._settings = settings
        self._data = settings.data
        self._runs = runs
        self._patience = patience
        self._making = threading.Lock()

    def path(self, actor: Actor, run_id: str) -> Path:
        """Return the report: one HTML file with rules, times and the outputs marked for it.

        Raises Conflict for a run that is not COMPLETE, and when Snakemake cannot create it.
        """
        run = self._runs.get(actor, run_id)
        if run.state is not State.COMPLETE:
            raise (Never if run.state.final else NotYet)(NOT_COMPLETE(state=run.state))
        rundir = RunDir.of(self._data, run_id)
        if not rundir.report.exists():
            if not self._making.acquire(timeout=self._patience):
                raise Conflict(REPORTS_BUSY())
            try:
                if not rundir.report.exists():
                    self._create(rundir, run.digest)
            finally:
                self._making.release()
        return rundir.report

    def _create(self, rundir: RunDir, digest: str) -> None:
        workflow = snapshot_folder(self._data, digest)
        try:
            words = workflow_arguments(workflow, rundir)
        except Broken as error:
            raise NotFound(WORKFLOW_GONE()) from error
        with draft_of(rundir.report, shared=True) as draft:
            made = rundir.root / MADE  # it may write the run directory only
            wall = confinement.wall_of(self._settings, rundir, workflow)
            confined = Confinement(self._settings, wall, rundir)
            with disk_full_as_error():
                said = oneshot.snakemake(
                    _arguments(words, made), patience=self._patience, confined=confined
                )
                if made.is_file() and not made.is_symlink():
                    made.rename(draft)
            if said.code is None:
                raise Conflict(REPORT_TIMED_OUT(seconds=self._patience))
            if said.code != 0 or not draft.exists():
                raise Conflict(REPORT_FAILED(last_line=_last_line(said.output)))


def _arguments(words: list[str], target: Path) -> list[str]:
    return [*words, *("--cores", "1"), "--nolock", "--nocolor", *("--report", str(target))]


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
