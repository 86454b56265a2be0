"""Prepares a run directory: inputs under safe names, a config folder, links to the repository.

The configuration file that the workflow reads has the values of the run. Other files of the
workflow are links, so that relative paths lead where they lead in the repository.

Inputs are read-only copies: a job that changes one does not change the stored file, which may
belong to several users. Their checksums are compared with those that were registered.

Repeating it in a further attempt leaves existing files unchanged: a new modification time would
make Snakemake run finished jobs again.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from services import sheets
from services.catalogue.configuration import (
    PROFILE_SETTINGS,
    Broken,
    Configuration,
    file_text,
    profile_of,
)
from services.catalogue.layout import OWN, files, params_schema
from services.engine.arguments import own_configuration, own_snakefile
from services.errors import Invalid, Message, RundeskError
from services.host.atomic import draft_of, write_atomically
from services.host.copying import copy_checked
from services.models import Input, Submission
from services.params import file_values, validation
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
        rundir.root.mkdir(parents=True, exist_ok=True)
        for entry in run.inputs:
            _stage_input(entry, blob(entry.sha256), rundir.root / entry.path, copied)
        if run.inputs and not rundir.names.exists():
            names = {entry.path: entry.name for entry in run.inputs}
            rundir.inputs.mkdir(exist_ok=True)
            _write(rundir.names, json.dumps(names, indent=1, ensure_ascii=False))
        if run.sheets:
            _write_sheets(run, rundir, table_fields(params_schema(workflow)))
        for path in run.replacements:
            _copy_file(rundir.root / staged_replacement(path), rundir.root / path)
        sources = [workflow / run.base, workflow] if run.base else [workflow]
        for source in sources:
            _copy_config(source, rundir.root)
        configuration = run_configuration(run, workflow)
        if content := values(run, workflow, configuration):
            for path, text in configuration.texts(content).items():
                _write(rundir.root / path, text)
        for source in sources:
            _link_files(source, rundir.root)
        _write_profile(profile_of(workflow), rundir)
        return own_snakefile(workflow, configuration, rundir)
    except Broken as error:
        raise StagingFailed(WORKFLOW_UNREADABLE(error=error)) from error
    except Invalid as error:
        raise StagingFailed(SHEET_UNREADABLE(error=error)) from error


def run_configuration(run: Submission, workflow: Path) -> Configuration:
    """Return the configuration that the parameters of a run were filled in for.

    It is that of the workflow, or of its test data (`run.base`). Raises Broken.
    """
    plain = own_configuration(workflow)
    replaced = {}
    for path in (file.path for file in plain.files):
        if run.base and (workflow / run.base / path).is_file():
            replaced[path] = file_text(workflow / run.base / path)
    return own_configuration(workflow, replaced) if replaced else plain


def staged_replacement(path: str) -> str:
    """Return where a file that replaces one of the configuration folder is staged."""
    return f"inputs/replacements/{path}"


def values(run: Submission, workflow: Path, configuration: Configuration) -> dict[str, Any]:
    """Return the values of a run as its workflow reads them, with the staged paths of files.

    Values of the workflow for which its form has no default stay: those of files that a user may
    leave out. Runs of earlier versions stored only what differs from the workflow's values.
    """
    given, own = _staged_values(run), configuration.params
    if not run.whole:
        return _merge(own, given)
    if run.complete:
        return given
    if left := own.keys() - given.keys():
        known = validation.defaults(params_schema(workflow))
        given |= {name: own[name] for name in own if name in left and name not in known}
    return given


def _staged_values(run: Submission) -> dict[str, Any]:
    """Return the parameters of a run; those that are files have their staged paths as values."""
    values = copy.deepcopy(run.params)
    for name, path in run.sheets.items():
        file_values.put(values, name, path)
    for entry in run.inputs:
        own = file_values.is_below(entry.field, run.sheets) or entry.field in run.replacements
        if not own:  # else its path is in the table, or it is the table's source
            file_values.put(values, entry.field, entry.path)
    for name in run.folders:
        (first,) = file_values.value_at(values, name)[:1]
        file_values.put(values, name, str(PurePosixPath(first).parent))
    return values


def _write_sheets(run: Submission, rundir: RunDir, fields: Mapping[str, Any]) -> None:
    """Write each sample sheet as a plain table with staged paths in its file cells.

    Rows of a table marked `as_is` are written with their own columns only: its workflow reads them
    as if they were a file that the user had written.
    """
    for name, path in run.sheets.items():
        if (target := rundir.root / path).exists():
            continue
        field, given = fields[name], file_values.value_at(run.params, name)
        rows = field["rows"] if is_sheet(field) else used_columns(field["rows"], given)
        if isinstance(given, str):
            (source,) = (entry.path for entry in run.inputs if entry.field == name)
            given = sheets.read(rundir.root / source, rows).records
        records = [dict(record) for record in given]
        for entry in run.inputs:
            if entry.field.startswith(f"{name}."):
                index, _, column = entry.field.removeprefix(f"{name}.").partition(".")
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


def _copy_config(workflow: Path, root: Path) -> None:
    """Copy the files of the config folder that are not there yet; the run may change them."""
    for path in sorted((workflow / "config").rglob("*")):
        if path.is_file():
            _copy_file(path, root / path.relative_to(workflow))


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file, unless its target is there."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft_of(target) as draft:
            shutil.copyfile(source, draft)


def _link_files(workflow: Path, root: Path) -> None:
    """Link the files of a workflow that are not there yet, in folders of the run's own.

    A job can thus write beside them, but not into the frozen copy.
    """
    for path in files(workflow):
        target = root / path
        if not os.path.lexists(target) and not path.startswith(f"{OWN}/"):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(workflow / path)


def _write_profile(profile: Mapping[str, Any], rundir: RunDir) -> None:
    """Write the settings of the workflow's profile that apply on this server, if it has any."""
    settings = {key: profile[key] for key in PROFILE_SETTINGS if key in profile}
    if settings:
        rundir.profile.mkdir(exist_ok=True)
        _write(rundir.profile / "config.yaml", yaml.safe_dump(settings))


def _write(path: Path, text: str) -> None:
    """Write a file, unless it has this text: a new modification time would matter to Snakemake."""
    with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
        if not path.is_symlink() and path.read_text(encoding="utf-8") == text:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as file:
        file.write(text)
