"""What plans of a workflow have shown about its configuration, kept in the workflow's folder.

`services.engine.recorder` records a plan. An administrator's installation makes plans when a
workflow is added, and stores their records in `.rundesk/observed.json` of the added copy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.host.atomic import write_atomically

OBSERVED = ".rundesk/observed.json"
MODULE = re.compile(r"No module named '([\w.]+)'")
MAX_RECORD_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Observed:
    """The records of the plans of one workflow, the one with its own configuration first."""

    records: Sequence[Mapping[str, Any]]

    @property
    def configfiles(self) -> tuple[str, ...]:
        """The configuration files that the workflow reads, relative to its working directory."""
        return tuple(self.records[0].get("configfiles", ())) if self.records else ()

    @property
    def config_schema(self) -> str | None:
        """The schema that the workflow validates its configuration with, relative to its folder."""
        for record in self.records:
            for path in record.get("config_schema", ()):
                if not Path(path).is_absolute():
                    return str(path)
        return None

    @property
    def planned(self) -> bool:
        """Whether Snakemake planned jobs at least once."""
        return any(record.get("jobs") for record in self.records)

    def tables(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Yield each table that was read, with the configuration of its plan."""
        for record in self.records:
            for table in record.get("tables", ()):
                yield table, record.get("config", {})


def observed(folder: Path) -> Observed | None:
    """Return what plans of the workflow in a folder have shown; None when there was no plan."""
    path = folder / OBSERVED
    try:
        if path.stat().st_size > MAX_RECORD_BYTES:
            return None
        records = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return Observed([record for record in records if isinstance(record, dict)])


def missing_module(seen: Observed | None) -> list[str]:
    """Return the Python package that was missing when Snakemake read the workflow."""
    error = (seen.records[0].get("error") or {}) if seen and seen.records else {}
    match = MODULE.search(str(error.get("text", "")))
    own = match is None or match[1].startswith("snakemake")
    return [] if own or match is None else [match[1].partition(".")[0]]


def keep(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Store the records of plans with the workflow in a folder."""
    path = folder / OBSERVED
    path.parent.mkdir(exist_ok=True)
    with write_atomically(path) as file:
        file.write(json.dumps(list(records), indent=1, sort_keys=True))
