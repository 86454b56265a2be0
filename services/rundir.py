"""The paths of all files of a run directory, each defined once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe(name: str) -> str:
    """Return a name that people gave as a safe name for a file or folder.

    The ending is kept even if nothing else is: workflows recognize formats by it.
    """
    stem, dot, ending = UNSAFE.sub("_", name).lstrip(".").partition(".")
    ending = ending.strip("._-")
    return (stem.lstrip("_-") or "file") + (dot + ending if ending else "")


@dataclass(frozen=True)
class AttemptDir:
    """The files of one execution of a run."""

    root: Path

    @property
    def lock(self) -> Path:
        """Locked (flock) from claim to final state; while it is free, no process is left."""
        return self.root / "lock"

    @property
    def exit(self) -> Path:
        """How Snakemake ended; the supervisor writes it once and atomically."""
        return self.root / "exit.json"

    @property
    def spool(self) -> Path:
        """Records that are not in the database yet, one JSON object per line, in order."""
        return self.root / "spool.jsonl"

    @property
    def errors(self) -> Path:
        """Failed jobs and error texts that Snakemake reported, one JSON object per line."""
        return self.root / "errors.jsonl"

    @property
    def console(self) -> Path:
        """Snakemake's output, both streams."""
        return self.root / "console.log"

    @property
    def diary(self) -> Path:
        """The log of the supervisor."""
        return self.root / "supervisor.log"

    @property
    def stopping(self) -> Path:
        """Exists as soon as Rundesk stops the attempt: jobs that end after that did not fail."""
        return self.root / "stopping"


@dataclass(frozen=True)
class RunDir:
    """The working directory of a run."""

    root: Path

    @classmethod
    def of(cls, data: Path, run_id: str) -> RunDir:
        return cls(data / "runs" / run_id)

    @property
    def inputs(self) -> Path:
        return self.root / "inputs"

    @property
    def names(self) -> Path:
        """The owner's names of the files in `inputs`: {path in the run: name}."""
        return self.inputs / "names.json"

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def desk(self) -> Path:
        return self.root / ".rundesk"

    @property
    def manifest(self) -> Path:
        """The list of published results, visible once it exists and the run is COMPLETE."""
        return self.desk / "manifest.json"

    @property
    def software(self) -> Path:
        """Versions of the software used: {name: version}."""
        return self.desk / "software.json"

    @property
    def report(self) -> Path:
        """Snakemake's own report, created on the first request."""
        return self.desk / "report.html"

    def attempt(self, number: int) -> AttemptDir:
        return AttemptDir(self.desk / f"attempt-{number}")
