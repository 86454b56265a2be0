"""Snakemake's own report of a run (`snakemake --report`), made when first asked for."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

from services.catalogue.layout import kept, snakefile
from services.catalogue.schemas import Broken
from services.engine import oneshot
from services.errors import Conflict, NotFound
from services.host.disk import told_when_full
from services.models import Actor, State
from services.rundir import RunDir
from services.runs import Runs
from services.settings import Settings


class Reports:
    """Makes each report once, and one at a time."""

    def __init__(
        self, settings: Settings, runs: Runs, *, patience: float = oneshot.ONESHOT_TIMEOUT_S
    ) -> None:
        self._data = settings.data
        self._runs = runs
        self._patience = patience
        self._making = threading.Lock()

    def path(self, actor: Actor, run_id: str) -> Path:
        """The report, HTML in one file: rules, times, and what the workflow marks for it.

        Raises Conflict for a run that is not COMPLETE, and when Snakemake cannot make it.
        """
        run = self._runs.get(actor, run_id)
        if run.state is not State.COMPLETE:
            raise Conflict(f"Only a run that is complete has this report: this is {run.state}.")
        rundir = RunDir.of(self._data, run_id)
        if not rundir.report.exists():
            if not self._making.acquire(timeout=self._patience):
                raise Conflict("Other reports are being made.", hint="Try again in a moment.")
            try:
                if not rundir.report.exists():
                    self._make(rundir, run.digest)
            finally:
                self._making.release()
        return rundir.report

    def _make(self, rundir: RunDir, digest: str) -> None:
        try:
            found = snakefile(kept(self._data, digest))
        except Broken as error:
            raise NotFound("The files of the workflow are gone.") from error
        draft = rundir.report.with_name(f"report-{secrets.token_hex(8)}.html")
        try:
            with told_when_full():
                said = oneshot.snakemake(_words(found, rundir, draft), patience=self._patience)
            if said.code != 0 or not draft.exists():
                raise Conflict("Snakemake could not make its report.", hint=_why(said))
            draft.rename(rundir.report)
        finally:
            draft.unlink(missing_ok=True)


def _words(snakefile: Path, rundir: RunDir, target: Path) -> list[str]:
    return [
        *("--snakefile", str(snakefile)),
        *("--directory", str(rundir.root)),
        *("--configfile", str(rundir.config)),
        *("--cores", "1"),
        *("--profile", "none"),
        *("--workflow-profile", "none"),
        "--nolock",
        "--nocolor",
        *("--report", str(target)),
    ]


def _why(said: oneshot.Result) -> str:
    if said.code is None:
        return "It took too long."
    lines = [line.strip() for line in said.output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
