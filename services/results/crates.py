"""Export completed runs as Workflow Run RO-Crates: the workflow, its inputs, steps and results.

A crate has the layout of the run directory, with the configuration of the run, so an unpacked crate
can be executed again with `snakemake`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from zipstream import ZipStream

from services.catalogue.configuration import Broken
from services.catalogue.layout import files, manifest_of, params_schema, snakefile, snapshot_folder
from services.database import Database
from services.errors import Message, Never, NotFound, NotYet
from services.models import Actor, Run, State
from services.params.schema import flatten
from services.results import provenance
from services.results.service import (
    CONTENT_GONE,
    WORKFLOW_GONE,
    Bundle,
    PublishedFile,
    Results,
    folder_of,
    portable_path,
    unique_name,
)
from services.rundir import RunDir
from services.runs import Runs
from services.settings import Settings

UNKNOWN_VERSIONS = {"snakemake": "unknown"}  # of runs that are older than the list of versions

NOT_COMPLETE = Message("wrong_state", "Only completed runs have an RO-Crate; this run is {state}.")
WORKFLOW_UNREADABLE = Message(
    "unreadable_file", "The workflow files of this run cannot be read: {reason}"
)


@dataclass(frozen=True)
class _Parts:
    """The files of a crate, by their path in the run directory."""

    workflow: dict[str, Path]
    inputs: dict[str, Path]
    results: dict[str, Path]

    def all(self) -> dict[str, Path]:
        return self.workflow | self.inputs | self.results


class Crates:
    """Creates the crates of runs on demand; nothing is stored."""

    def __init__(
        self, settings: Settings, database: Database, runs: Runs, results: Results
    ) -> None:
        self._data = settings.data
        self._jobs = database.jobs
        self._runs = runs
        self._results = results

    def metadata(self, actor: Actor, run_id: str, *, inputs: bool = True) -> bytes:
        """Return `ro-crate-metadata.json`. Raises Conflict for a run that is not COMPLETE."""
        run, results = self._completed(actor, run_id)
        return self._describe(run, results, self._parts(run, results, inputs=inputs))

    def bundle(self, actor: Actor, run_id: str, *, inputs: bool = True) -> Bundle:
        """Return the crate as a zip, with or without the content of the inputs.

        Raises Conflict for a run that is not COMPLETE, NotFound when a file of it was removed.
        """
        run, results = self._completed(actor, run_id)
        parts = self._parts(run, results, inputs=inputs)
        zipped = ZipStream(sized=True)
        zipped.add(self._describe(run, results, parts), provenance.METADATA)
        names = _names(parts)
        for path, file in parts.all().items():
            try:
                zipped.add_path(file, names[path], recurse=False)
            except FileNotFoundError:
                raise NotFound(CONTENT_GONE(path=path)) from None
        return Bundle(f"{folder_of(run)}-crate.zip", len(zipped), zipped)

    def _completed(self, actor: Actor, run_id: str) -> tuple[Run, list[PublishedFile]]:
        run = self._runs.get(actor, run_id)
        if run.state is not State.COMPLETE:
            raise (Never if run.state.final else NotYet)(NOT_COMPLETE(state=run.state))
        return run, list(self._results.files(actor, run_id))

    def _parts(self, run: Run, results: list[PublishedFile], *, inputs: bool) -> _Parts:
        folder, rundir = snapshot_folder(self._data, run.digest), RunDir.of(self._data, run.id)
        if not folder.is_dir():
            raise NotFound(WORKFLOW_GONE())
        included = {entry.path for entry in run.inputs} if inputs else set()
        staged = {path: rundir.root / path for path in sorted({*included, *run.sheets.values()})}
        config = {
            str(path.relative_to(rundir.root)): path
            for path in [rundir.config, *sorted((rundir.root / "config").rglob("*"))]
            if rundir.contains(path)
        }
        return _Parts(
            workflow={path: folder / path for path in files(folder)} | config,
            inputs={path: file for path, file in staged.items() if rundir.contains(file)},
            results={published.result.path: published.file for published in results},
        )

    def _describe(self, run: Run, results: list[PublishedFile], parts: _Parts) -> bytes:
        folder, rundir = snapshot_folder(self._data, run.digest), RunDir.of(self._data, run.id)
        try:
            main = str(snakefile(folder).relative_to(folder))
            fields = flatten(params_schema(folder), run.params)["properties"]
            license = manifest_of(folder).license
        except Broken as error:
            raise NotFound(WORKFLOW_UNREADABLE(reason=error)) from error
        others = parts.workflow.keys() - {main} - parts.inputs.keys() - parts.results.keys()
        data = provenance.RunData(
            run=run,
            jobs=self._jobs.ended(run.id),
            results=[published.result for published in results],
            snakefile=main,
            files=sorted(others),
            license=license,
            fields=fields,
            software=_software(rundir),
            names=_names(parts),
        )
        return json.dumps(provenance.describe(data), indent=2, ensure_ascii=False).encode()


def _software(rundir: RunDir) -> dict[str, str]:
    try:
        software: dict[str, str] = json.loads(rundir.software.read_bytes())
    except FileNotFoundError:
        software = {}
    return UNKNOWN_VERSIONS | software


def _names(parts: _Parts) -> dict[str, str]:
    """Return the name of each path in the crate: the path itself, where it is portable."""
    taken = {provenance.METADATA}
    return {path: unique_name(portable_path(path), taken) for path in parts.all()}
