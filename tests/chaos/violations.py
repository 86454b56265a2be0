"""Violations of invariants, with their evidence."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.rundir import RunDir

MAX_VIOLATIONS_WITH_EVIDENCE = 40  # for the first ones


@dataclass(frozen=True)
class Violation:
    invariant: str  # "I1" … "I7", or "harness"
    what: str
    run_id: str
    after: float  # s since the start

    def __str__(self) -> str:
        of = f" run {self.run_id}" if self.run_id else ""
        return f"{self.invariant} at {self.after:.1f} s{of}: {self.what}"


class Violations:
    """Collects violations; each kind once per run."""

    def __init__(self, folder: Path, runs: Path, ledger: Path) -> None:
        self._folder = folder
        self._runs = runs
        self._ledger = ledger
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._seen: set[tuple[str, str, str]] = set()
        self.found: list[Violation] = []
        self.describe: Callable[[str], str] = lambda run_id: ""

    def add(self, invariant: str, what: str, run_id: str = "") -> None:
        kind = "".join(letter for letter in what if not letter.isdigit())[:40]
        with self._lock:
            if (invariant, run_id, kind) in self._seen:
                return
            self._seen.add((invariant, run_id, kind))
            violation = Violation(invariant, what, run_id, time.monotonic() - self._began)
            self.found.append(violation)
            number = len(self.found)
        print(f"VIOLATION {violation}", flush=True)
        if number <= MAX_VIOLATIONS_WITH_EVIDENCE:
            self._save_evidence(number, violation)

    def _save_evidence(self, number: int, violation: Violation) -> None:
        folder = self._folder / f"{number:02d}-{violation.invariant}-{violation.run_id or 'all'}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "what.txt").write_text(f"{violation}\n")
        processes = subprocess.run(
            ["ps", "-eo", "pid,ppid,pgid,sid,stat,lstart,comm,args"],
            capture_output=True,
            timeout=20,
            check=False,
        )
        (folder / "processes.txt").write_bytes(processes.stdout)
        if violation.run_id:
            try:
                (folder / "run.json").write_text(self.describe(violation.run_id))
            except Exception as error:
                (folder / "run.json").write_text(repr(error))
            self._copy_files(violation.run_id, folder)

    def _copy_files(self, run_id: str, folder: Path) -> None:
        """Copy Rundesk's files about the run; of large logs only the start."""
        if (self._ledger / run_id).exists():
            shutil.copy(self._ledger / run_id, folder / "ledger.txt")
        internal = RunDir(self._runs / run_id).internal
        for path in sorted(internal.rglob("*")):
            if path.is_file():
                target = folder / path.relative_to(internal)
                target.parent.mkdir(parents=True, exist_ok=True)
                with path.open("rb") as file:
                    target.write_bytes(file.read(1 << 20))
