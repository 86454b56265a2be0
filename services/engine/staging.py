"""Prepares a run directory: inputs under safe names, the workflow's config folder, config.json.

Inputs are read-only copies: a job that changes one does not change the stored file, which may
belong to several users. Their checksums are compared with those that were registered.

Repeating it in a further attempt leaves existing files unchanged: a new modification time would
make Snakemake run finished jobs again.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services import sheets
from services.catalogue.layout import params_schema, snakefile
from services.catalogue.schemas import Broken, default_config
from services.errors import Invalid, Message, RundeskError
from services.host.atomic import draft_of, write_atomically
from services.host.copying import copy_checked
from services.models import Input, Submission
from services.params import file_values
from services.params.schema import Schema, is_sheet, table_fields
from services.rundir import RunDir
from services.sheets import RowSchema

WORKFLOW_UNREADABLE = Message("invalid_workflow", "The workflow cannot be read: {error}")
SHEET_UNREADABLE = Message("unreadable_file", "The sample sheet cannot be read: {error}")
INPUT_GONE = Message(
    "gone",
    "The file {name} (input {field}) no longer exists on this server.",
    hint="Upload the file again and submit a new run.",
)
INPUT_DAMAGED = Message(
    "gone",
    "The stored content of the file {name} (input {field}) no longer has the checksum with which it"
    " was registered.",
    hint="Upload the file again and submit a new run.",
)
INPUT_MODE = 0o444


class StagingFailed(RundeskError):
    """The run cannot be prepared, neither now nor later."""

    default = Message("system_error", "The run cannot be prepared.")


def stage(
    run: Submission,
    rundir: RunDir,
    workflow: Path,
    blob: Callable[[str], Path],
    *,
    copied: float = math.inf,
) -> Path:
    """Prepare `rundir` for `run`; return the Snakefile to run.

    `workflow` is the stored copy of its files; `blob` returns the path of the content with a
    sha256. Inputs larger than `copied` bytes are symbolic links to the content, for a process that
    cannot write it. Raises StagingFailed when a repetition would fail too, OSError when it may
    succeed.
    """
    try:
        path = snakefile(workflow)
        rundir.root.mkdir(parents=True, exist_ok=True)
        for entry in run.inputs:
            _stage_input(entry, blob(entry.sha256), rundir.root / entry.path, copied)
        if run.inputs and not rundir.names.exists():
            names = {entry.path: entry.name for entry in run.inputs}
            _write(rundir.names, json.dumps(names, indent=1, ensure_ascii=False))
        if run.sheets:
            _write_sheets(run, rundir, table_fields(params_schema(workflow)))
        _copy_folder(workflow / "config", rundir.root / "config")
        content = configuration(run, default_config(workflow))
        _write(rundir.config, json.dumps(content, indent=1, ensure_ascii=False))
    except Broken as error:
        raise StagingFailed(WORKFLOW_UNREADABLE(error=error)) from error
    except Invalid as error:
        raise StagingFailed(SHEET_UNREADABLE(error=error)) from error
    return path


def configuration(run: Submission, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a run: defaults of the workflow, overridden by the parameters.

    Parameters that are files have their staged paths as values.
    """
    values = copy.deepcopy(run.params) | run.sheets
    for entry in run.inputs:
        if (
            entry.field.partition(".")[0] not in run.sheets
        ):  # else its path is in the table, or it is the table's source
            file_values.put(values, entry.field, entry.path)
    return _merge(base, values)


def _write_sheets(run: Submission, rundir: RunDir, fields: Mapping[str, Any]) -> None:
    """Write each sample sheet as a plain table with staged paths in its file cells.

    Rows of a table marked `as_is` are written with their own columns only: its workflow reads them
    as if they were a file that the user had written.
    """
    for name, path in run.sheets.items():
        if (target := rundir.root / path).exists():
            continue
        field, given = fields[name], run.params[name]
        rows = field["rows"] if is_sheet(field) else used_columns(field["rows"], given)
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


def used_columns(row_schema: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> Schema:
    """Return a row schema with those of its columns that the records have."""
    properties = RowSchema(row_schema).properties
    used = {name for record in records for name in record}
    return {"properties": {name: own for name, own in properties.items() if name in used}}


def _merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(dict(base))
    for name, value in overrides.items():
        default = result.get(name)
        both = isinstance(default, Mapping) and isinstance(value, Mapping)
        result[name] = _merge(default, value) if both else value  # type: ignore[arg-type]
    return result


def _stage_input(entry: Input, source: Path, target: Path, copied: float) -> None:
    if not source.is_file():
        raise StagingFailed(INPUT_GONE(name=entry.name, field=entry.field))
    if _is_staged(entry, target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(target) as draft:
        if entry.size > copied:
            draft.symlink_to(source)
        elif copy_checked(source, draft) != entry.sha256:
            raise StagingFailed(INPUT_DAMAGED(name=entry.name, field=entry.field))
        else:
            draft.chmod(INPUT_MODE)


def _is_staged(entry: Input, target: Path) -> bool:
    """Return whether an earlier attempt has staged an input, and its jobs have not changed it."""
    if target.is_symlink() or not target.is_file() or target.stat().st_size != entry.size:
        return False
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256


def _copy_folder(source: Path, target: Path) -> None:
    """Copy the config folder: workflows refer to its files relative to the working directory."""
    if not source.is_dir() or target.exists():
        return
    with draft_of(target) as draft:
        shutil.copytree(source, draft)


def _write(path: Path, text: str) -> None:
    with write_atomically(path) as file:
        file.write(text)
