"""Completed runs as Workflow Run RO-Crates: what was done, with what, and what came of it.

A crate is laid out as the run directory is, so that an unpacked one can be run again by
`snakemake --configfile config.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zipstream import ZipStream

from services.catalogue.layout import files, manifest_of, params_schema, snakefile, snapshot_folder
from services.catalogue.schemas import Broken
from services.database import Database
from services.errors import Conflict, NotFound
from services.models import Actor, Result, Run, State
from services.params.schema import flatten
from services.results import provenance
from services.results.service import Bundle, Results, fit, folder_of, unused
from services.rundir import RunDir
from services.runs import Runs
from services.settings import Settings

UNSAID = {"snakemake": "unknown"}  # of runs from before versions were kept


@dataclass(frozen=True)
class _Parts:
    """Where the bytes of a crate lie: {path in the run: file}."""

    workflow: dict[str, Path]
    inputs: dict[str, Path]
    results: dict[str, Path]

    def all(self) -> dict[str, Path]:
        return self.workflow | self.inputs | self.results


class Crates:
    """Makes the crate of a run from what is kept of it; nothing is stored."""

    def __init__(
        self, settings: Settings, database: Database, runs: Runs, results: Results
    ) -> None:
        self._data = settings.data
        self._jobs = database.jobs
        self._runs = runs
        self._results = results

    def metadata(self, actor: Actor, run_id: str, *, inputs: bool = True) -> bytes:
        """`ro-crate-metadata.json`. Raises Conflict for a run that is not COMPLETE."""
        run, results = self._told(actor, run_id)
        return self._described(run, results, self._parts(run, results, inputs=inputs))

    def bundle(self, actor: Actor, run_id: str, *, inputs: bool = True) -> Bundle:
        """The whole crate as a zip; without the bytes of the inputs when they are not wanted.

        Raises Conflict for a run that is not COMPLETE, NotFound when a part of it is gone.
        """
        run, results = self._told(actor, run_id)
        parts = self._parts(run, results, inputs=inputs)
        zipped = ZipStream(sized=True)
        zipped.add(self._described(run, results, parts), provenance.METADATA)
        names = _names(parts)
        for path, place in parts.all().items():
            try:
                zipped.add_path(place, names[path], recurse=False)
            except FileNotFoundError:
                raise NotFound("The content is gone.") from None
        return Bundle(f"{folder_of(run)}-crate.zip", len(zipped), zipped)

    def _told(self, actor: Actor, run_id: str) -> tuple[Run, list[Result]]:
        run = self._runs.get(actor, run_id)
        if run.state is not State.COMPLETE:
            raise Conflict(f"Only a run that is complete has a crate: this is {run.state}.")
        return run, list(self._results.list(actor, run_id))

    def _parts(self, run: Run, results: list[Result], *, inputs: bool) -> _Parts:
        folder, rundir = snapshot_folder(self._data, run.digest), RunDir.of(self._data, run.id)
        if not folder.is_dir():
            raise NotFound("The files of the workflow are gone.")
        given = {entry.path for entry in run.inputs} if inputs else set()
        there = {path: rundir.root / path for path in sorted({*given, *run.sheets.values()})}
        config = {rundir.config.name: rundir.config}
        return _Parts(
            workflow={path: folder / path for path in files(folder)} | config,
            inputs={path: place for path, place in there.items() if place.is_file()},
            results={result.path: rundir.root / result.path for result in results},
        )

    def _described(self, run: Run, results: list[Result], parts: _Parts) -> bytes:
        folder, rundir = snapshot_folder(self._data, run.digest), RunDir.of(self._data, run.id)
        try:
            main = str(snakefile(folder).relative_to(folder))
            fields = flatten(params_schema(folder), run.params)["properties"]
            license = manifest_of(folder).license
        except Broken as error:
            raise NotFound(f"The files of the workflow cannot be read: {error}") from error
        beside = parts.workflow.keys() - {main} - parts.inputs.keys() - parts.results.keys()
        told = provenance.Story(
            run=run,
            jobs=self._jobs.done(run.id),
            results=results,
            snakefile=main,
            files=sorted(beside),
            license=license,
            fields=fields,
            software=_software(rundir),
            names=_names(parts),
        )
        return json.dumps(provenance.describe(told), indent=2, ensure_ascii=False).encode()


def _software(rundir: RunDir) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(rundir.software.read_bytes())
    except FileNotFoundError:
        found = {}
    return UNSAID | found


def _names(parts: _Parts) -> dict[str, str]:
    """What each path is called in the crate: as it is, where every system can unpack that."""

    def named() -> Iterator[tuple[str, str]]:
        taken = {provenance.METADATA}
        for path in parts.all():
            yield path, unused(fit(path), taken)

    return dict(named())
