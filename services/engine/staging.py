"""Prepares a run directory: inputs under safe names, the workflow's config folder, config.json.

Doing it again (a further attempt) changes nothing that is there already: a new modification time
would make Snakemake run finished jobs again.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from services import sheets
from services.catalogue.layout import params_schema, snakefile
from services.catalogue.schemas import Broken, default_config
from services.errors import Invalid, RundeskError
from services.host.atomic import draft_of, write_atomically
from services.host.copying import clone_or_link
from services.models import Input, Submission
from services.params import file_values
from services.params.schema import sheet_fields
from services.rundir import RunDir


class StagingFailed(RundeskError):
    """The run cannot be prepared, now or later."""


def stage(run: Submission, rundir: RunDir, workflow: Path, blob: Callable[[str], Path]) -> Path:
    """Prepare `rundir` for `run`; returns the Snakefile to run.

    `workflow` is the frozen copy of its files; `blob` tells where content with a sha256 lies.
    Raises StagingFailed when it cannot succeed, OSError when it may another time; what happened
    here before may be repeated.
    """
    try:
        found = snakefile(workflow)
        for folder in (rundir.root, rundir.desk):
            folder.mkdir(parents=True, exist_ok=True)
        for entry in run.inputs:
            _input(entry, blob(entry.sha256), rundir.root / entry.path)
        if run.inputs and not rundir.names.exists():
            names = {entry.path: entry.name for entry in run.inputs}
            _write(rundir.names, json.dumps(names, indent=1, ensure_ascii=False))
        if run.sheets:
            _sheets(run, rundir, sheet_fields(params_schema(workflow)))
        _folder(workflow / "config", rundir.root / "config")
        content = configuration(run, default_config(workflow))
        _write(rundir.config, json.dumps(content, indent=1, ensure_ascii=False))
    except Broken as error:
        raise StagingFailed(f"The workflow's files cannot be read: {error}") from error
    except Invalid as error:
        raise StagingFailed(f"The sample sheet cannot be read: {error}") from error
    return found


def configuration(run: Submission, base: Mapping[str, Any]) -> dict[str, Any]:
    """What Snakemake reads: the workflow's defaults under the parameters, files as staged paths."""
    given = copy.deepcopy(run.params) | run.sheets
    for entry in run.inputs:
        if entry.field.partition(".")[0] not in run.sheets:  # else in its table, or what made it
            file_values.put(given, entry.field, entry.path)
    return _merged(base, given)


def _sheets(run: Submission, rundir: RunDir, fields: Mapping[str, Any]) -> None:
    """Write each sample sheet as a plain table whose file cells are staged paths."""
    for name, path in run.sheets.items():
        if (target := rundir.root / path).exists():
            continue
        rows, given = fields[name]["rows"], run.params[name]
        if isinstance(given, str):
            (source,) = (entry.path for entry in run.inputs if entry.field == name)
            given = sheets.read(rundir.root / source, rows).records
        records = [dict(record) for record in given]
        for entry in run.inputs:
            parameter, _, cell = entry.field.partition(".")
            if parameter == name and cell:
                index, _, column = cell.partition(".")
                records[int(index)][column] = entry.path
        sheets.write(records, target, rows, delimiter=sheets.DELIMITERS[target.suffix])


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(dict(under))
    for name, value in over.items():
        below = result.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[name] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def _input(entry: Input, source: Path, target: Path) -> None:
    if not source.is_file():
        raise StagingFailed(f"The file {entry.name} (input {entry.field}) is gone from this desk.")
    if target.exists() and target.stat().st_size == entry.size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(target) as draft, source.open("rb") as file:
        if not clone_or_link(file.fileno(), draft):
            shutil.copyfile(source, draft)


def _folder(source: Path, target: Path) -> None:
    """Workflows name files of their config folder relative to the working directory."""
    if not source.is_dir() or target.exists():
        return
    with draft_of(target) as draft:
        shutil.copytree(source, draft)


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as file:
        file.write(text)
