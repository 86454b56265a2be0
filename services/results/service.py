"""The results of completed runs, as their manifests list them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from zipstream import ZipStream

from services.access.actors import scope
from services.database import Database
from services.database.jobs import Producer
from services.errors import Message, NoResult, NoResultYet, NotFound, Text
from services.files.display_names import display_name, display_names
from services.models import Actor, Result, Run, State
from services.rundir import RunDir
from services.settings import Settings

#: Characters that Windows or another system does not allow in the name of a file.
UNPORTABLE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]+')

RUN_NOT_FOUND = Message("not_found", "Run not found.")
RESULT_NOT_FOUND = Message("not_found", "This run has no result at {path}.")
REPORT_NOT_FOUND = Message("not_found", "This run has no report.")
NO_RESULTS = Message(
    "not_found", "There are no results to download.", hint="Only completed runs have results."
)
NOT_FINISHED = Message(
    "not_found",
    "The run has not finished, so it has no results yet.",
    hint="Try again when its state is COMPLETE.",
)
CONTENT_GONE = Message(
    "gone",
    "The content of {path} was removed from storage.",
    hint="Submit the run again to create it again.",
)
CONTENT_REPLACED = Message(
    "gone",
    "The content of {path} was replaced by a link that leads out of the run.",
    hint=CONTENT_GONE.hint,
)
WORKFLOW_GONE = Message(
    "gone", "The workflow files that this run was executed with were removed from storage."
)


@dataclass(frozen=True)
class Bundle:
    """An uncompressed zip archive that is created while it is sent."""

    name: str
    size: int  # bytes; exact
    blocks: Iterable[bytes]  # raises RuntimeError when a file changes while it is read


@dataclass(frozen=True)
class PublishedFile:
    """A result and the file on disk, whose name may differ from the displayed one."""

    result: Result
    root: Path  # the run directory
    name: str  # path on disk, relative to it

    @property
    def file(self) -> Path:
        """The file on disk. Raises NotFound when a link that leads out of the run replaced it."""
        file = self.root / self.name
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise NotFound(CONTENT_REPLACED(path=self.result.path))
        return file


class Results:
    """Reads the manifests of completed runs."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._data = settings.data
        self._store = database.runs
        self._jobs = database.jobs

    def list(self, actor: Actor, run_id: str) -> Sequence[Result]:
        """Return the results of a run, highlights first; none unless it is COMPLETE.

        Each has the rule and the job that declared it as an output, where there is one.
        """
        return [published.result for published in self.files(actor, run_id)]

    def files(self, actor: Actor, run_id: str) -> Sequence[PublishedFile]:
        """Return the results of a run as `list` does, with their files; do not change those."""
        run = self._run(actor, run_id)
        files = self._manifest(run)
        producers = self._jobs.producers(run_id) if files else {}
        return [replace(entry, result=_with_producer(entry.result, producers)) for entry in files]

    def path(self, actor: Actor, run_id: str, path: str) -> Path:
        """Return the file of a result; do not change it. Raises NotFound unless it is listed."""
        run = self._run(actor, run_id)
        for published in self._manifest(run):
            if published.result.path == path:
                return published.file
        raise _missing(RESULT_NOT_FOUND(path=path), run)

    def report(self, actor: Actor, run_id: str) -> Result:
        """Return the first result that is a report. Raises NotFound."""
        run = self._run(actor, run_id)
        for published in self._manifest(run):
            if published.result.kind == "report":
                return published.result
        raise _missing(REPORT_NOT_FOUND(), run)

    def bundle(
        self, actor: Actor, run_ids: Sequence[str], *, paths: Sequence[str] | None = None
    ) -> Bundle:
        """Return the results of runs as a zip with a folder for each run; only `paths`, if given.

        Raises NotFound for an unknown run or path, and when there are no results.
        """
        runs = [self._run(actor, run_id) for run_id in dict.fromkeys(run_ids)]
        zipped, taken, folders = ZipStream(sized=True), set[str](), set[str]()
        for run in runs:
            for published in _select(self._manifest(run), paths):
                path = published.result.path
                name = unique_name(f"{folder_of(run)}/{portable_path(path)}", taken)
                folders.add(folder_of(run))
                try:
                    zipped.add_path(published.file, name, recurse=False)
                except FileNotFoundError:
                    raise NotFound(CONTENT_GONE(path=path)) from None
        if not folders:
            raise _missing(NO_RESULTS(), *runs)
        name = folders.pop() if len(folders) == 1 else f"{len(folders)} runs"
        return Bundle(f"{name}.zip", len(zipped), zipped)

    def _run(self, actor: Actor, run_id: str) -> Run:
        run = self._store.get(run_id, scope(actor))
        if run is None:
            raise NotFound(RUN_NOT_FOUND())
        return run

    def _manifest(self, run: Run) -> Sequence[PublishedFile]:
        """Return the results of a run, whose paths are display names."""
        if run.state is not State.COMPLETE:
            return []
        rundir = RunDir.of(self._data, run.id)
        entries = {entry["path"]: entry for entry in json.loads(rundir.manifest.read_bytes())}
        return [
            PublishedFile(_result(entries[path], name), rundir.root, path)
            for name, path in display_names(entries).items()
        ]


def _missing(text: Text, *runs: Run) -> NotFound:
    """Return the error for a result that does not exist, or does not exist yet."""
    if all(run.state.final for run in runs):
        return NoResult(text)
    return NoResultYet(NOT_FINISHED())


def _result(entry: Mapping[str, Any], name: str) -> Result:
    """Return an entry of a manifest under its display name, which is also its default title."""
    title = name if entry["title"] == entry["path"] else entry["title"]
    return Result.model_validate({**entry, "path": name, "title": display_name(title)})


def _with_producer(result: Result, producers: Mapping[str, Producer]) -> Result:
    """Return the result with the job that declared the file, or a folder of it, as an output."""
    for path in (result.path, *map(str, PurePosixPath(result.path).parents)):
        if producer := producers.get(path):
            return result.model_copy(update={"rule": producer.rule, "job": producer.job})
    return result


def _select(files: Sequence[PublishedFile], paths: Sequence[str] | None) -> Sequence[PublishedFile]:
    """Return the results at `paths`, or all. Raises NotFound for a path that is not listed."""
    if paths is None:
        return files
    by_path = {published.result.path: published for published in files}
    for path in paths:
        if path not in by_path:
            raise NotFound(RESULT_NOT_FOUND(path=path))
    return [by_path[path] for path in dict.fromkeys(paths)]


def folder_of(run: Run) -> str:
    """Return the name of a run's folder in an archive; unique, although names of runs are not."""
    name = re.sub(r"[^\w.-]+", "-", run.name or run.workflow).strip("-.")
    return f"{name[:60] or run.workflow}-{run.id[-6:]}"


def portable_path(path: str) -> str:
    """Return the path with names that every operating system can unpack."""
    parts = (UNPORTABLE.sub("_", part).rstrip(" .") for part in path.split("/"))
    return "/".join(part or "_" for part in parts)


def unique_name(name: str, taken: set[str]) -> str:
    """Return `name`, with a number if it is in `taken`, and add it; case is ignored."""
    stem, dot, ending = name.rpartition(".")
    number, free = 1, name
    while free.lower() in taken:
        number += 1
        free = f"{stem} ({number}).{ending}" if dot and "/" not in ending else f"{name} ({number})"
    taken.add(free.lower())
    return free
