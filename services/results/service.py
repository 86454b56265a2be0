"""Results: what a completed run published, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zipstream import ZipStream

from services.access.actors import scope
from services.database import Database
from services.database.jobs import Maker
from services.errors import NotFound
from services.models import Actor, Result, Run, State
from services.rundir import RunDir
from services.settings import Settings

UNFIT = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]+')  # what some system does not take in a name


@dataclass(frozen=True)
class Bundle:
    """Results as one zip, uncompressed, which is made while it is sent."""

    name: str
    size: int  # bytes, exactly
    blocks: Iterable[bytes]  # raises RuntimeError when a file changes meanwhile


class Results:
    """Reads the manifests of completed runs."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._data = settings.data
        self._store = database.runs
        self._jobs = database.jobs

    def list(self, actor: Actor, run_id: str) -> Sequence[Result]:
        """The results of a run, highlights first; none unless it is COMPLETE.

        Each with the job that made it, as far as one said that it did.
        """
        run = self._run(actor, run_id)
        listed = self._listed(run)
        makers = self._jobs.makers(run_id) if listed else {}
        return [_credited(result, makers) for result in listed]

    def path(self, actor: Actor, run_id: str, path: str) -> Path:
        """The bytes of one result, to be read only. Only what the manifest lists is found."""
        if not any(result.path == path for result in self._listed(self._run(actor, run_id))):
            raise NotFound("There is no such result.")
        return RunDir.of(self._data, run_id).root / path

    def report(self, actor: Actor, run_id: str) -> Result:
        """The first result that is a report. Raises NotFound."""
        for result in self._listed(self._run(actor, run_id)):
            if result.kind == "report":
                return result
        raise NotFound("This run has no report.")

    def bundle(
        self, actor: Actor, run_ids: Sequence[str], *, paths: Sequence[str] | None = None
    ) -> Bundle:
        """The results of runs, a folder each; only those at `paths` when given.

        Raises NotFound for a run or a path that is not there, and when there is nothing at all.
        """
        runs = [self._run(actor, run_id) for run_id in dict.fromkeys(run_ids)]
        zipped, taken, folders = ZipStream(sized=True), set[str](), set[str]()
        for run in runs:
            for result in _chosen(self._listed(run), paths):
                name = unused(f"{folder_of(run)}/{fit(result.path)}", taken)
                folders.add(folder_of(run))
                try:
                    zipped.add_path(self._root(run) / result.path, name, recurse=False)
                except FileNotFoundError:
                    raise NotFound("The content is gone.") from None
        if not folders:
            raise NotFound("There are no results to download.")
        name = folders.pop() if len(folders) == 1 else f"{len(folders)} runs"
        return Bundle(f"{name}.zip", len(zipped), zipped)

    def _run(self, actor: Actor, run_id: str) -> Run:
        run = self._store.get(run_id, scope(actor))
        if run is None:
            raise NotFound("There is no such run.")
        return run

    def _root(self, run: Run) -> Path:
        return RunDir.of(self._data, run.id).root

    def _listed(self, run: Run) -> Sequence[Result]:
        if run.state is not State.COMPLETE:
            return []
        manifest = RunDir.of(self._data, run.id).manifest
        return [Result.model_validate(entry) for entry in json.loads(manifest.read_bytes())]


def _credited(result: Result, makers: Mapping[str, Maker]) -> Result:
    """With the job that promised the file, or a folder that it is in."""
    for path in (result.path, *map(str, PurePosixPath(result.path).parents)):
        if maker := makers.get(path):
            return result.model_copy(update={"rule": maker.rule, "job": maker.job})
    return result


def _chosen(listed: Sequence[Result], paths: Sequence[str] | None) -> Sequence[Result]:
    """Those at `paths`; all when none are given. Raises NotFound."""
    if paths is None:
        return listed
    known = {result.path: result for result in listed}
    if not known.keys() >= set(paths):
        raise NotFound("There is no such result.")
    return [known[path] for path in dict.fromkeys(paths)]


def folder_of(run: Run) -> str:
    """What the folder of a run is called: names of runs need not differ."""
    name = re.sub(r"[^\w.-]+", "-", run.name or run.workflow).strip("-.")
    return f"{name[:60] or run.workflow}-{run.id[-6:]}"


def fit(path: str) -> str:
    """A path that every system can unpack."""
    parts = (UNFIT.sub("_", part).rstrip(" .") for part in path.split("/"))
    return "/".join(part or "_" for part in parts)


def unused(name: str, taken: set[str]) -> str:
    """`name`, or with a number where systems that ignore case have it already."""
    stem, dot, ending = name.rpartition(".")
    number, free = 1, name
    while free.lower() in taken:
        number += 1
        free = f"{stem} ({number}).{ending}" if dot and "/" not in ending else f"{name} ({number})"
    taken.add(free.lower())
    return free
