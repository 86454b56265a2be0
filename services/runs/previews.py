"""Previews of submissions: the rules that would run, and the number of jobs of each.

Reading a Snakefile executes it, so Snakemake plans in a process of its own, with limits on time and
file sizes. Nothing is stored, and no job runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from services.catalogue import Catalogue
from services.catalogue import secrets as secrets_of
from services.engine import causes, confinement, oneshot, reporter
from services.engine.execution import common_arguments
from services.engine.staging import StagingFailed, stage
from services.engine.walled import Confinement
from services.errors import Conflict, Invalid, Message
from services.files import Files
from services.files.registry import content
from services.host.atomic import write_atomically
from services.host.disk import disk_full_as_error
from services.logs import tail
from services.models import Actor, PlannedRule, Preview, RunRequest, Validated
from services.rundir import AttemptDir, RunDir
from services.runs.intake import CheckedRequest, Intake
from services.settings import MIB, Settings

PLAN_TIMEOUT_S = 30.0
MAX_PARALLEL_PLANS = 2  # in this process
POLL_INTERVAL_S = 0.05  # between two looks for the plan
FOLDER_LIFETIME_S = 3600.0  # older folders were left by a process that was killed
MAX_PLAN_FILE_BYTES = 16 * MIB  # of a file that the planning process writes
CONSOLE_TAIL_BYTES = 65536  # of its output, searched for the cause of a failure
MAX_COPIED_BYTES = 16 * MIB  # of an input; a larger one is a link
MAX_RULES = 1000  # of a preview

BUSY = Message(
    "busy", "The server is busy with other previews.", hint="Try again in a few seconds."
)
NO_PLAN_IN_TIME = Message(
    "executor_error",
    "Snakemake did not finish planning within {count} seconds.",
    one="Snakemake did not finish planning within 1 second.",
)
NO_PLAN = Message("executor_error", "Snakemake did not produce a plan.")


class Previews:
    """Plans submissions without creating runs."""

    def __init__(
        self,
        settings: Settings,
        files: Files,
        workflows: Catalogue,
        *,
        patience: float = PLAN_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._workflows = workflows
        self._intake = Intake(settings, files, workflows)
        self._patience = patience
        self._slots = threading.BoundedSemaphore(MAX_PARALLEL_PLANS)

    def validate(self, actor: Actor, request: RunRequest) -> Validated:
        """Return the request as it would be accepted. Raises what `Runs.submit` raises."""
        submission = self._intake.check(actor, request).submission
        return Validated(
            workflow=submission.workflow,
            workflow_version=submission.workflow_version,
            digest=submission.digest,
            params=submission.params,
        )

    def preview(self, actor: Actor, request: RunRequest) -> Preview:
        """Return what the run would do; `problems` explains why there is no plan.

        Raises what `Runs.submit` raises for an invalid request, and Conflict while too many
        previews are being made.
        """
        return self._plan_in_slot(self._intake.check(actor, request))

    def graph(self, actor: Actor, name: str) -> Preview:
        """Return the rules of a workflow with its example, or else its defaults. Raises NotFound.

        The plan is kept by the digest of the workflow's files, so it is made once.
        """
        workflow = self._workflows.get(actor, name)
        path = self._settings.data / "previews" / f"{workflow.digest}.json"
        with contextlib.suppress(FileNotFoundError, ValueError):
            return Preview.model_validate_json(path.read_bytes())
        example = workflow.example is not None
        request = RunRequest(workflow=name, example=example, params=None if example else {})
        try:
            preview = self.preview(actor, request)
        except Invalid as error:
            problems = [f"{problem.field}: {problem.message}" for problem in error.problems]
            return Preview(
                workflow=name, digest=workflow.digest, problems=problems or [error.message]
            )
        if not preview.problems:
            _keep(path, preview)
        return preview

    def _plan_in_slot(self, checked: CheckedRequest) -> Preview:
        if not self._slots.acquire(timeout=self._patience):
            raise Conflict(BUSY())
        try:
            with self._folder() as rundir:
                return self._stage_and_plan(checked, rundir)
        finally:
            self._slots.release()

    @contextlib.contextmanager
    def _folder(self) -> Iterator[RunDir]:
        """Yield a temporary run directory."""
        rundir = RunDir(self._settings.data / "previews" / f"preview-{secrets.token_hex(12)}")
        with disk_full_as_error():
            rundir.root.mkdir(parents=True)
        _clear(rundir.root.parent, older=time.time() - FOLDER_LIFETIME_S)
        try:
            yield rundir
        finally:
            for folder in (rundir.root, rundir.internal):
                shutil.rmtree(folder, ignore_errors=True)

    def _stage_and_plan(self, checked: CheckedRequest, rundir: RunDir) -> Preview:
        workflow = checked.workflow
        blob = partial(_blob, self._settings.data, checked.sources)
        preview = partial(Preview, workflow=workflow.name, digest=workflow.digest)
        with disk_full_as_error():
            try:
                snapshot = self._workflows.snapshot(workflow)
                stage(checked.submission, rundir, snapshot, blob, copied=MAX_COPIED_BYTES)
            except StagingFailed as error:
                return preview(problems=[error.message])
            spool = SpoolReader(_reports(rundir).spool)
            contents = [blob(entry.sha256) for entry in checked.submission.inputs]
            wall = confinement.wall_of(self._settings, rundir, snapshot, contents)
            confined = Confinement(self._settings, wall, rundir)
            variables = secrets_of.variables(self._settings.data, workflow.name)
            code = self._plan(confined, _arguments(snapshot, rundir), spool, variables)
        spool.read()  # what was written just before the process ended
        if (plan := spool.latest.get("plan")) is None:
            return preview(problems=[self._failure(code, rundir)])
        stats = {rule: count for rule, count in plan["stats"].items() if rule != "total"}
        return preview(
            rules=[PlannedRule(rule=r, jobs=n) for r, n in list(stats.items())[:MAX_RULES]],
            total=plan["stats"].get("total", sum(stats.values())),
            links=spool.latest.get("graph", {"links": []})["links"],
        )

    def _plan(
        self,
        confined: Confinement,
        arguments: list[str],
        spool: SpoolReader,
        variables: Mapping[str, str],
    ) -> int | None:
        """Run Snakemake until its plan is in the spool.

        Returns its exit code, or None when it still runs: then it is killed.
        """
        attempt = confined.rundir.attempt(1)
        attempt.root.mkdir(parents=True)
        end = time.monotonic() + self._patience
        with (
            attempt.console.open("wb") as console,
            oneshot.snakemake_process(
                arguments,
                console,
                largest=MAX_PLAN_FILE_BYTES,
                variables=variables,
                confined=confined,
            ) as process,
        ):
            while process.poll() is None and time.monotonic() < end:
                spool.read()
                if "plan" in spool.latest:  # the graph comes before it
                    break
                time.sleep(POLL_INTERVAL_S)
            return process.returncode

    def _failure(self, code: int | None, rundir: RunDir) -> str:
        """Return why there is no plan, in one sentence."""
        if code is None:
            return str(NO_PLAN_IN_TIME(count=round(self._patience)))
        records = list(reporter.read(_reports(rundir).errors))
        console = tail(rundir.attempt(1).console, CONSOLE_TAIL_BYTES)
        cause = causes.explain(causes.Evidence(1, code or 1, records=records, console=console))
        return cause.message if cause else str(NO_PLAN())


def _arguments(workflow: Path, rundir: RunDir) -> list[str]:
    """Return Snakemake's arguments: those of a run, as a dry run."""
    return [
        *common_arguments(workflow, rundir, cores=1),
        *("--logger-rundesk-directory", str(_reports(rundir).root)),
        "--dry-run",
        "--nolock",
        *("--quiet", "all"),
    ]


def _reports(rundir: RunDir) -> AttemptDir:
    """Return where the planning process writes its reports: it may write `rundir` only."""
    return AttemptDir(rundir.root / ".reports")


def _blob(data: Path, sources: Mapping[str, Path], sha256: str) -> Path:
    """Return the path of an input: in the workflow's folder, or in the store of files."""
    return sources.get(sha256) or content(data, sha256)


class SpoolReader:
    """The last record of each type in a spool that another process appends to.

    Each `read` parses only the lines appended since the last one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0  # bytes read so far; always the start of a line
        self.latest: dict[str, Mapping[str, Any]] = {}  # by type

    def read(self) -> None:
        """Take in the complete lines that were appended. Does nothing when there is no file."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < self._position:  # cut back after a write that failed
                self._position = 0
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):  # still being written
                    return
                self._position += len(line)
                with contextlib.suppress(ValueError):  # cut short by the death of its writer
                    record = json.loads(line)
                    if isinstance(record, dict):
                        self.latest[record["type"]] = record


def _clear(folder: Path, older: float) -> None:
    """Delete the folders of previews that were last changed before the time `older`."""
    for old in folder.glob("preview-*"):
        with contextlib.suppress(FileNotFoundError):  # another process may delete it too
            if old.stat().st_mtime < older:
                for path in (old, RunDir(old).internal):
                    shutil.rmtree(path, ignore_errors=True)


def _keep(path: Path, preview: Preview) -> None:
    """Store a preview so that its file appears complete."""
    with disk_full_as_error(), write_atomically(path, shared=True) as file:
        file.write(preview.model_dump_json())
