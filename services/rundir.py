"""Paths of the files of a run directory, each defined once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe(name: str) -> str:
    """Return a safe file or folder name derived from a name that a user chose.

    The extension is kept even when nothing else is: workflows detect formats by it.
    """
    stem, dot, ending = UNSAFE.sub("_", name).lstrip(".").partition(".")
    ending = ending.strip("._-")
    return (stem.lstrip("_-") or "file") + (dot + ending if ending else "")


@dataclass(frozen=True)
class AttemptDir:
    """The files of one attempt of a run."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held (flock) from claim to final state; free when no process of the attempt lives."""
        return self.root / "lock"

    @property
    def exit(self) -> Path:
        """How Snakemake ended; written once, atomically, by the supervisor."""
        return self.root / "exit.json"

    @property
    def spool(self) -> Path:
        """Records not yet stored in the database, one JSON object per line, in order."""
        return self.root / "spool.jsonl"

    @property
    def errors(self) -> Path:
        """Failed jobs and error texts reported by Snakemake, one JSON object per line."""
        return self.root / "errors.jsonl"

    @property
    def targets(self) -> Path:
        """Inputs of the jobs without outputs: what was asked for; one JSON list per line."""
        return self.root / "targets.jsonl"

    @property
    def console(self) -> Path:
        """Output of Snakemake, both streams."""
        return self.root / "console.log"

    @property
    def supervisor_log(self) -> Path:
        """Log of the supervisor."""
        return self.root / "supervisor.log"

    @property
    def stopping(self) -> Path:
        """Exists once Rundesk stops the attempt: jobs that end afterwards did not fail."""
        return self.root / "stopping"


@dataclass(frozen=True)
class RunDir:
    """The working directory of a run, which its jobs may write, and what Rundesk keeps about it."""

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
        """The parameters of a run that a version before 0.2 prepared."""
        return self.root / "config.json"

    @property
    def profile(self) -> Path:
        """The settings of the workflow's profile that apply here, as a profile of Snakemake."""
        return self.root / ".profile"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def home(self) -> Path:
        """HOME of Snakemake and its jobs; deleted when an attempt has ended."""
        return self.root / ".home"

    @property
    def scratch(self) -> Path:
        """TMPDIR of Snakemake and its jobs; deleted when an attempt has ended."""
        return self.root / ".tmp"

    @property
    def cache(self) -> Path:
        """Snakemake's between-workflow cache as the run sees it: links, and what its jobs add."""
        return self.root / ".cache"

    @property
    def internal(self) -> Path:
        """Files that Rundesk keeps about the run; its jobs can neither read nor write them."""
        kept = self.root.parent.parent / "records" / self.root.name
        former = self.root / ".rundesk"  # where earlier versions kept them
        return former if not kept.exists() and former.is_dir() else kept

    def contains(self, path: Path) -> bool:
        """Return whether a path is a file of the run directory, links followed.

        Jobs choose the content of the directory: a link may lead out of it.
        """
        real = path.resolve()
        return real.is_relative_to(self.root.resolve()) and real.is_file()

    @property
    def manifest(self) -> Path:
        """The published results; they are visible when it exists and the run is COMPLETE."""
        return self.internal / "manifest.json"

    @property
    def software(self) -> Path:
        """Versions of the packages that executed the run: {name: version}."""
        return self.internal / "software.json"

    @property
    def report(self) -> Path:
        """Snakemake's own report, created on first request."""
        return self.internal / "report.html"

    def attempt(self, number: int) -> AttemptDir:
        return AttemptDir(self.internal / f"attempt-{number}")
