"""The records that Snakemake keeps of the files that jobs create, and uses when it resumes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from services.engine.snakemake_internals import (
    FOLDER,
    INCOMPLETE,
    MARKER,
    METADATA,
    max_name_bytes,
    record_path,
    recorded_output,
)


def recorded_outputs(folder: Path) -> dict[str, float]:
    """Return the outputs that jobs created in a run directory, in all attempts: {path: time}.

    The time (epoch seconds) is when Snakemake recorded the output. The records are complete, while
    the reports of jobs can lack the last moments of a killed attempt.
    """
    root, outputs = folder / METADATA, {}
    for path in root.rglob("*"):
        if path.is_file():
            with contextlib.suppress(ValueError):
                outputs[recorded_output(path.relative_to(root))] = path.stat().st_mtime
    return outputs


def mark_unrecorded_outputs(folder: Path, excluded: Collection[str]) -> None:
    """Mark every file in a run directory that is not recorded as created as incomplete.

    Snakemake trusts an existing output without a marker. It sets the marker only after it has given
    the job to the thread that executes it, and removes the marker before it removes what a failed
    job has written: killed in between, it would take a part of a file for all of it. `excluded` are
    names in `folder` that hold no outputs. A marker for a file that is not an output has no effect.
    """
    recorded = recorded_outputs(folder)
    for parent, folders, files in os.walk(folder):
        within = Path(parent).relative_to(folder)
        if within == Path():
            folders[:] = [name for name in folders if name not in {FOLDER, *excluded}]
        for name in (*folders, *files):
            if not _is_complete(Path(parent, name), output := str(within / name), recorded):
                _mark_incomplete(folder, output)
        folders[:] = [name for name in folders if str(within / name) not in recorded]


def _is_complete(path: Path, output: str, recorded: Mapping[str, float]) -> bool:
    """Return whether an output is recorded, and no later job has started to write it since."""
    if output not in recorded:
        return False
    return path.is_dir() or path.lstat().st_mtime <= recorded[output]


def _mark_incomplete(folder: Path, output: str) -> None:
    with contextlib.suppress(UnicodeEncodeError):  # no output: Snakemake could not mark it either
        path = folder / INCOMPLETE / record_path(output, max_name_bytes(folder))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MARKER, encoding="utf-8")
