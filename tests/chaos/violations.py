"""What went against an invariant, with the evidence."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MOST_EVIDENCE = 40  # violations whose evidence is kept


@dataclass(frozen=True)
class Violation:
    invariant: str  # "I1" … "I7", or "harness"
    what: str
    run_id: str
    after: float  # s since the beginning

    def __str__(self) -> str:
        of = f" run {self.run_id}" if self.run_id else ""
        return f"{self.invariant} at {self.after:.1f} s{of}: {self.what}"


class Violations:
    """Collects them; each kind once for a run."""

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
        if number <= MOST_EVIDENCE:
            self._keep(number, violation)

    def _keep(self, number: int, violation: Violation) -> None:
        place = self._folder / f"{number:02d}-{violation.invariant}-{violation.run_id or 'desk'}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "what.txt").write_text(f"{violation}\n")
        processes = subprocess.run(
            ["ps", "-eo", "pid,ppid,pgid,sid,stat,lstart,comm,args"],
            capture_output=True,
            timeout=20,
            check=False,
        )
        (place / "processes.txt").write_bytes(processes.stdout)
        if violation.run_id:
            try:
                (place / "run.json").write_text(self.describe(violation.run_id))
            except Exception as error:
                (place / "run.json").write_text(repr(error))
            self._copy(violation.run_id, place)

    def _copy(self, run_id: str, place: Path) -> None:
        """The run's own papers; logs of the flooding sort only by their beginning."""
        if (self._ledger / run_id).exists():
            shutil.copy(self._ledger / run_id, place / "ledger.txt")
        desk = self._runs / run_id / ".rundesk"
        for path in sorted(desk.rglob("*")):
            if path.is_file():
                target = place / path.relative_to(desk)
                target.parent.mkdir(parents=True, exist_ok=True)
                with path.open("rb") as file:
                    target.write_bytes(file.read(1 << 20))
