"""Names every file of a run directory, so that nobody spells a path twice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe(name: str) -> str:
    """A name for a file or folder of ours, of what people called something.

    The ending stays, also where nothing else does: workflows tell formats by it.
    """
    stem, dot, ending = UNSAFE.sub("_", name).lstrip(".").partition(".")
    ending = ending.strip("._-")
    return (stem.lstrip("_-") or "file") + (dot + ending if ending else "")


@dataclass(frozen=True)
class AttemptDir:
    """What one execution of a run leaves behind."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held (flock) from claim to final state: a free lock means that nobody is at work."""
        return self.root / "lock"

    @property
    def exit(self) -> Path:
        """How Snakemake ended; written once, whole, by the supervisor."""
        return self.root / "exit.json"

    @property
    def spool(self) -> Path:
        """Records that the database did not take yet, one JSON object a line, in order."""
        return self.root / "spool.jsonl"

    @property
    def errors(self) -> Path:
        """Failed jobs and error texts as Snakemake told them, one JSON object a line."""
        return self.root / "errors.jsonl"

    @property
    def console(self) -> Path:
        """What Snakemake printed, both streams."""
        return self.root / "console.log"

    @property
    def diary(self) -> Path:
        """What the supervisor did and met."""
        return self.root / "supervisor.log"

    @property
    def stopping(self) -> Path:
        """There from the moment the desk ends the attempt: jobs that end then did not fail."""
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
        """What the files in `inputs` are called by their owner: {path in the run: name}."""
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
        """What was published; its presence and the state COMPLETE make results visible."""
        return self.desk / "manifest.json"

    @property
    def software(self) -> Path:
        """Versions of the packages that took part: {name: version}."""
        return self.desk / "software.json"

    @property
    def report(self) -> Path:
        """Snakemake's own report, made when it is first asked for."""
        return self.desk / "report.html"

    def attempt(self, number: int) -> AttemptDir:
        return AttemptDir(self.desk / f"attempt-{number}")
