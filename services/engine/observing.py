"""Plans a copy of a workflow, with its own configuration and with its test data."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.catalogue.layout import snakefile
from services.engine import oneshot

PLANS_TIMEOUT_S = 120.0  # of all plans of one configuration
RECORDER = "services.engine.recorder"


def record_of(
    folder: Path,
    base: str = "",
    configfiles: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Plan a copy of the workflow in `folder` and return the record of the plan.

    `base` is the working directory, relative to the folder; `configfiles` are relative to it and
    take the place of those that the Snakefile names; `variables` are environment variables that it
    requires. Paths in the record are relative to the
    working directory, and those of schemas to the folder.
    """
    with tempfile.TemporaryDirectory(prefix="rundesk-observe-") as temporary:
        copy = Path(temporary, folder.name)
        shutil.copytree(folder, copy, symlinks=True)
        target = Path(temporary, "record.json")
        words = [
            str(target),
            *("--snakefile", str(snakefile(copy))),
            *("--directory", str(copy / base)),
            *("--cores", "1"),
            *("--dry-run", "--nolock", "--nocolor"),
            *("--quiet", "all"),
            *("--profile", "none", "--workflow-profile", "none"),
        ]
        if configfiles:
            words += ["--configfile", *(str(copy / base / path) for path in configfiles)]
        result = oneshot.snakemake(
            words, patience=PLANS_TIMEOUT_S, module=RECORDER, variables=variables
        )
        try:
            record: dict[str, Any] = json.loads(target.read_bytes())
        except (OSError, ValueError):
            words_ = result.output[-4000:]
            return {"error": {"type": "", "text": words_}, "output": words_, "base": base}
        relative = _relative(record, copy, copy / base)
        return relative | {"output": result.output[-4000:], "base": base}


def _relative(record: Mapping[str, Any], copy: Path, directory: Path) -> dict[str, Any]:
    """Return a record without the path of the copy."""

    def below(path: str, root: Path) -> str:
        full = os.path.normpath(root / path)
        return os.path.relpath(full, root) if full.startswith(f"{copy}{os.sep}") else path

    changed = dict(record)
    for name in ("configfiles", "opened", "listed", "inputs", "missing", "created"):
        changed[name] = [below(path, directory) for path in record.get(name, ())]
    changed["config_schema"] = [below(path, copy) for path in record.get("config_schema", ())]
    changed["tables"] = [
        table | {"path": below(table["path"], directory), "schema": below(table["schema"], copy)}
        for table in record.get("tables", ())
    ]
    error = record.get("error")
    if error:
        changed["error"] = error | {"text": error["text"].replace(f"{copy}{os.sep}", "")}
    return changed
