"""Runs in every state, written to the database as the engine does; nothing is executed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.bootstrap import Services
from services.engine.publishing import Limits, publish
from services.models import (
    Actor,
    Cause,
    CauseKind,
    Highlight,
    Run,
    RunRequest,
    State,
)
from services.rundir import RunDir

LEASE = timedelta(minutes=5)
STEPS = {"prepare": 1, "search": 2, "report": 1}  # jobs per rule
LINKS = [["prepare", "search"], ["search", "report"]]
CAUSE = Cause(
    kind=CauseKind.RULE_FAILED,
    message="A job of the rule search failed.",
    rule="search",
    job="1-2",
    log="reading part 1\nno sequence in line 7",
    hint="Look at the log of the job, fix the input and run it again.",
)


@dataclass(frozen=True)
class Scenes:
    """Creates runs of one actor. Nothing else may claim runs in this database."""

    services: Services
    actor: Actor
    workflow: str = "sequence-search"

    def waiting(self, **fields: Any) -> Run:
        """Queue a run of the workflow's example, or with `fields` of a RunRequest."""
        given = {"workflow": self.workflow, **fields}
        request = RunRequest(**given, **({} if "params" in fields else {"example": True}))
        return self.services.runs.submit(self.actor, request)

    def starting(self, **fields: Any) -> Run:
        run = self.waiting(**fields)
        now = datetime.now(UTC)
        claim = self.services.database.queue.claim(host="host", now=now, lease=LEASE)
        assert claim is not None
        assert claim.run.id == run.id
        return claim.run

    def running(self, *, done: int = 2, console: str = "rule prepare:\n", **fields: Any) -> Run:
        """Return a run of four jobs, of which `done` are completed and the next one is running."""
        run = self.starting(**fields)
        self._move(run, State.RUNNING)
        self._report(run, [{"type": "plan", "stats": STEPS}, {"type": "graph", "links": LINKS}])
        for number, (rule, part) in enumerate(_jobs()[: done + 1], 1):
            self._report(run, [_started(number, rule, part)])
            if number <= done:
                self._report(run, [{"type": "finished", "job": number, "at": time.time()}])
        self._report(run, [{"type": "progress", "done": done, "total": 4, "at": time.time()}])
        path = self._home(run).attempt(1).console
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(console)
        return self._now(run)

    def complete(self, results: dict[str, str] | None = None, **fields: Any) -> Run:
        """Return a completed run with `results`: path below results/ → content."""
        run = self.running(done=4, **fields)
        folder = self._home(run).results
        folder.mkdir(parents=True)
        for name, text in (results or {"hits.tsv": "query\thits\nq1\t3\n"}).items():
            (folder / name).write_text(text)
        highlights = [
            Highlight(path="results/report.html", title="Report"),
            Highlight(path="results/hits.tsv", title="Hits"),
        ]
        publish(self._home(run), [], highlights, limits=Limits(max_bytes=2**30))
        return self._move(run, State.COMPLETE)

    def failed(self, cause: Cause = CAUSE, **fields: Any) -> Run:
        run = self.running(done=1, **fields)
        log = self._home(run).root / "logs" / "search.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("reading part 1\nno sequence in line 7\n")
        self._report(run, [{"type": "failed", "job": 2, "final": True, "at": time.time()}])
        return self._move(run, State.EXECUTOR_ERROR, cause=cause)

    def lost(self, **fields: Any) -> Run:
        """Return a run whose host was lost."""
        run = self.running(**fields)
        cause = Cause(kind=CauseKind.HOST_LOST, message="The host was lost.", hint="Resume it.")
        return self._move(run, State.SYSTEM_ERROR, cause=cause)

    def canceling(self, **fields: Any) -> Run:
        return self.services.runs.cancel(self.actor, self.running(**fields).id)

    def canceled(self, **fields: Any) -> Run:
        return self._move(self.canceling(**fields), State.CANCELED)

    def _home(self, run: Run) -> RunDir:
        return RunDir.of(self.services.settings.data, run.id)

    def _now(self, run: Run) -> Run:
        return self.services.runs.get(self.actor, run.id)

    def _move(self, run: Run, state: State, cause: Cause | None = None) -> Run:
        now = datetime.now(UTC)
        store = self.services.database.runs
        if state is State.RUNNING:
            return store.start(run.id, 1, now=now)
        return store.end(run.id, 1, state, now=now, cause=cause)

    def _report(self, run: Run, records: Sequence[dict[str, Any]]) -> None:
        self.services.database.jobs.apply(run.id, 1, records)


def _jobs() -> list[tuple[str, str]]:
    return [("prepare", ""), ("search", "1"), ("search", "2"), ("report", "")]


def _started(number: int, rule: str, part: str) -> dict[str, Any]:
    return {
        "type": "started",
        "job": number,
        "rule": rule,
        "wildcards": {"part": part} if part else {},
        "input": ["inputs/queries.fasta"],
        "output": [f"results/{rule}{part}.tsv"],
        "log": ["logs/search.log"] if rule == "search" else [],
        "threads": 1,
        "command": f"{rule} --part {part}" if rule == "search" else "",
        "reason": "Missing output files",
        "at": time.time(),
    }
