"""What a submission would do, told before it is sent: the rules and how many jobs of each.

Snakemake plans it in a process of its own, which is short-lived and bounded in every way: to read a
Snakefile is to execute it. Nothing is stored, and no job runs.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from services.catalogue import Catalogue
from services.engine import causes, oneshot, reporter
from services.engine.execution import common_arguments
from services.engine.staging import StagingFailed, stage
from services.errors import Conflict, Invalid
from services.files import Files
from services.files.registry import content
from services.host.disk import told_when_full
from services.logs import tail
from services.models import Actor, PlannedRule, Preview, RunRequest, Validated
from services.rundir import AttemptDir, RunDir
from services.runs.intake import Checked, Intake
from services.settings import MIB, Settings

PATIENCE = 30.0  # s that a plan may take
AT_ONCE = 2  # plans made by this process at a time
LOOK = 0.05  # s between two looks for the plan
SWEEPING = 5.0  # s to end what a Snakefile may have started
FORGOTTEN = 3600.0  # s after which a folder is nobody's any more: its process was killed
LARGEST = 16 * MIB  # of a file that the planning process may write
SHOWN = 65536  # bytes of what it printed that are looked at
MOST_RULES = 1000  # told

Records = Sequence[Mapping[str, Any]]


class Previews:
    """Plans submissions without making a run of them."""

    def __init__(
        self, settings: Settings, files: Files, workflows: Catalogue, *, patience: float = PATIENCE
    ) -> None:
        self._settings = settings
        self._workflows = workflows
        self._intake = Intake(settings, files, workflows)
        self._patience = patience
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def validate(self, actor: Actor, request: RunRequest) -> Validated:
        """The request as it would be accepted. Raises what `Runs.submit` raises."""
        found = self._intake.check(actor, request).submission
        return Validated(
            workflow=found.workflow,
            workflow_version=found.workflow_version,
            digest=found.digest,
            params=found.params,
        )

    def preview(self, actor: Actor, request: RunRequest) -> Preview:
        """What the run would do. What Snakemake cannot plan is told in `problems`.

        Raises what `Runs.submit` raises for a request that does not fit, and Conflict when too
        many previews are being made.
        """
        return self._planned(self._intake.check(actor, request))

    def graph(self, actor: Actor, name: str) -> Preview:
        """The rules of a workflow, by its example or else its defaults. Raises NotFound.

        Kept by the digest of its files, so that it is planned once.
        """
        workflow = self._workflows.get(actor, name)
        path = self._settings.data / "previews" / f"{workflow.digest}.json"
        with contextlib.suppress(FileNotFoundError, ValueError):
            return Preview.model_validate_json(path.read_bytes())
        example = workflow.example is not None
        request = RunRequest(workflow=name, example=example, params=None if example else {})
        try:
            found = self.preview(actor, request)
        except Invalid as error:
            words = [f"{one.field}: {one.message}" for one in error.problems] or [error.message]
            return Preview(workflow=name, digest=workflow.digest, problems=words)
        if not found.problems:
            _keep(path, found)
        return found

    def _planned(self, checked: Checked) -> Preview:
        if not self._places.acquire(timeout=self._patience):
            raise Conflict("Other previews are being made.", hint="Try again in a moment.")
        try:
            with self._folder() as rundir:
                return self._rehearsed(checked, rundir)
        finally:
            self._places.release()

    @contextlib.contextmanager
    def _folder(self) -> Iterator[RunDir]:
        """A run directory that is gone afterwards."""
        rundir = RunDir(self._settings.data / "previews" / f"preview-{secrets.token_hex(12)}")
        with told_when_full():
            rundir.root.mkdir(parents=True)
        _clear(rundir.root.parent, older=time.time() - FORGOTTEN)
        try:
            yield rundir
        finally:
            shutil.rmtree(rundir.root, ignore_errors=True)

    def _rehearsed(self, checked: Checked, rundir: RunDir) -> Preview:
        workflow = checked.workflow
        blob = partial(_blob, self._settings.data, checked.sources)
        told = partial(Preview, workflow=workflow.name, digest=workflow.digest)
        with told_when_full():
            try:
                snakefile = stage(
                    checked.submission, rundir, self._workflows.snapshot(workflow), blob
                )
            except StagingFailed as error:
                return told(problems=[error.message])
            code = self._plan(rundir, _arguments(snakefile, rundir))
        place = rundir.attempt(1)
        records = list(reporter.read(place.spool))
        if (plan := _last(records, "plan")) is None:
            return told(problems=[self._why_not(code, place)])
        stats = {rule: count for rule, count in plan["stats"].items() if rule != "total"}
        return told(
            rules=[PlannedRule(rule=r, jobs=n) for r, n in list(stats.items())[:MOST_RULES]],
            total=plan["stats"].get("total", sum(stats.values())),
            links=(_last(records, "graph") or {"links": []})["links"],
        )

    def _plan(self, rundir: RunDir, words: list[str]) -> int | None:
        """Run Snakemake until its plan is there; its exit code, None when it was ended."""
        place = rundir.attempt(1)
        place.root.mkdir(parents=True)
        end = time.monotonic() + self._patience
        with (
            place.console.open("wb") as console,
            oneshot.snakemake_process(words, console, largest=LARGEST) as process,
        ):
            while process.poll() is None and time.monotonic() < end and not _there(place):
                time.sleep(LOOK)
            return process.returncode

    def _why_not(self, code: int | None, place: AttemptDir) -> str:
        """Why there is no plan, in one sentence."""
        if code is None:
            return f"Snakemake made no plan within {self._patience:.0f} seconds."
        records = list(reporter.read(place.errors))
        console = tail(place.console, SHOWN)
        cause = causes.explain(causes.Evidence(1, code or 1, records=records, console=console))
        return cause.message if cause else "Snakemake made no plan."


def _arguments(snakefile: Path, rundir: RunDir) -> list[str]:
    """Snakemake's command line; as for a run, but dry."""
    return [
        *common_arguments(snakefile, rundir, cores=1),
        *("--logger-rundesk-directory", str(rundir.attempt(1).root)),
        "--dry-run",
        "--nolock",
        *("--quiet", "all"),
    ]


def _blob(data: Path, sources: Mapping[str, Path], sha256: str) -> Path:
    """Where an input lies: beside the workflow, or in the desk's store."""
    return sources.get(sha256) or content(data, sha256)


def _there(place: AttemptDir) -> bool:
    """Whether the plan is told; the graph comes before it."""
    return _last(list(reporter.read(place.spool)), "plan") is not None


def _last(records: Records, kind: str) -> Mapping[str, Any] | None:
    return next((one for one in reversed(records) if one["type"] == kind), None)


def _clear(folder: Path, older: float) -> None:
    for left in folder.glob("preview-*"):
        with contextlib.suppress(FileNotFoundError):  # another process clears as well
            if left.stat().st_mtime < older:
                shutil.rmtree(left, ignore_errors=True)


def _keep(path: Path, preview: Preview) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{secrets.token_hex(8)}")
    with told_when_full():
        draft.write_text(preview.model_dump_json(), encoding="utf-8")
        draft.rename(path)
