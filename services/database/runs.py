"""Store runs and apply their state machine, with one atomic statement per change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from services.database.driver_errors import translate_method_errors
from services.database.paging import NEWEST_FIRST, counted, milliseconds, page
from services.database.queue import rank
from services.database.run_documents import (
    Document,
    by_id,
    change,
    live,
    matching,
    read,
    update_for,
)
from services.errors import TransitionRefused
from services.models import (
    FINAL,
    LIVE,
    Cause,
    Page,
    Progress,
    Run,
    RunFilter,
    State,
    Submission,
    sources,
)

KNOWN_STATES = frozenset(state.value for state in State)


@dataclass(frozen=True)
class Plan:
    """The plan of an attempt: jobs per rule, and the links between rules."""

    attempt: int
    jobs: dict[str, int]
    links: list[tuple[str, str]]  # (rule, the rule that needs its output)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended; the fields are those of its entry in the run."""

    state: State
    exit_code: int | None = None
    failures: int | None = None
    limit: int | None = None


@translate_method_errors
class RunStore:
    """The collection `runs`. `owner=None` means any owner."""

    def __init__(self, database: Database[Document]) -> None:
        self._runs = database["runs"]

    def create_indexes(self) -> None:
        self._runs.create_indexes(
            [
                IndexModel("state"),
                IndexModel(NEWEST_FIRST),
                IndexModel([("owner", ASCENDING), *NEWEST_FIRST]),
                IndexModel([("owner", ASCENDING), ("state", ASCENDING), *NEWEST_FIRST]),
                IndexModel([("workflow", ASCENDING), ("state", ASCENDING), ("ended", DESCENDING)]),
                IndexModel("inputs.file"),
                IndexModel(
                    [("owner", ASCENDING), ("idempotency.key", ASCENDING)],
                    unique=True,
                    partialFilterExpression={"idempotency.key": {"$exists": True}},
                ),
            ]
        )

    # ---- submission and reading ------------------------------------------------------------

    def add(
        self, accepted: Submission, *, now: datetime, key: str | None = None, body: str = ""
    ) -> tuple[Run, str]:
        """Store a run as QUEUED, or return the one that its owner submitted with the same `key`.

        Returns the run and the digest of the body it was submitted with.
        """
        now = milliseconds(now)
        document = {
            **accepted.model_dump(mode="json", include=set(Submission.model_fields)),
            "_id": ObjectId(),
            "params": json.dumps(accepted.params),
            "state": State.QUEUED.value,
            "created": now,
            "rank": rank(self._runs, accepted.owner, accepted.priority),
            "attempt": 0,
            "resumed": 0,
            "attempts": [],
            "progress": Progress().model_dump(),
            "history": [change(State.QUEUED, now)],
        }
        if key is not None:
            document["idempotency"] = {"key": key, "body": body}
        try:
            self._runs.insert_one(document)
        except DuplicateKeyError:
            earlier = self.by_key(accepted.owner, key) if key is not None else None
            if earlier is None:
                raise
            return earlier
        return read(document), body

    def by_key(self, owner: str, key: str) -> tuple[Run, str] | None:
        """Return the run submitted with an idempotency key, and the digest of its body."""
        document = self._runs.find_one({"owner": owner, "idempotency.key": str(key)})
        return (read(document), str(document["idempotency"]["body"])) if document else None

    def get(self, run_id: str, owner: str | None) -> Run | None:
        document = self._runs.find_one(by_id(run_id, owner))
        return read(document) if document else None

    def page(self, filters: RunFilter, owner: str | None) -> Page[Run]:
        query = matching(filters, owner)
        return page(
            self._runs,
            query,
            filters.after,
            filters.limit,
            read,
            oldest_first=filters.oldest_first,
        )

    def counted(self, page: Page[Run], filters: RunFilter, owner: str | None) -> Page[Run]:
        """Return a page of runs with their total."""
        query = matching(filters, owner)
        return counted(page, self._runs, query, first=filters.after is None)

    def counts(self, owner: str | None) -> dict[State, int]:
        """Return the number of runs in each state, zeros included."""
        match = {} if owner is None else {"owner": owner}
        grouped = self._runs.aggregate(
            [{"$match": match}, {"$group": {"_id": "$state", "n": {"$sum": 1}}}]
        )
        numbers = {group["_id"]: group["n"] for group in grouped}
        return {state: numbers.get(state.value, 0) for state in State}

    def tally(self, owner: str | None) -> dict[str, dict[State, int]]:
        """Return the number of runs in each state by name of workflow, zeros included."""
        match = {} if owner is None else {"owner": owner}
        by_both = {"_id": {"workflow": "$workflow", "state": "$state"}, "n": {"$sum": 1}}
        workflows: dict[str, dict[State, int]] = {}
        for group in self._runs.aggregate([{"$match": match}, {"$group": by_both}]):
            if group["_id"].get("state") not in KNOWN_STATES or "workflow" not in group["_id"]:
                continue  # of a newer version, or damaged
            states = workflows.setdefault(group["_id"]["workflow"], dict.fromkeys(State, 0))
            states[State(group["_id"]["state"])] = group["n"]
        return dict(sorted(workflows.items()))

    def plan(self, run_id: str) -> Plan | None:
        """Return the plan of the present attempt; None when the run does not exist."""
        document = self._runs.find_one(by_id(run_id), {"attempt": 1, "plan": 1, "links": 1})
        if document is None:
            return None
        links = [(link[0], link[1]) for link in document.get("links", [])]
        jobs = {entry[0]: entry[1] for entry in document.get("plan", [])}
        return Plan(document["attempt"], jobs, links)

    def failures(self, run_id: str, before: int) -> Counter[State]:
        """Count the final states of the attempts before `before`, since the last resume."""
        document = self._runs.find_one(by_id(run_id), {"resumed": 1, "attempts": 1}) or {}
        return Counter(
            State(attempt["state"])
            for attempt in document.get("attempts", ())
            if document.get("resumed", 0) < attempt["number"] < before and attempt.get("state")
        )

    def describe(self, run_id: str, **fields: Any) -> Run | None:
        """Set descriptive fields of a run in any state; None when it does not exist."""
        document = self._runs.find_one_and_update(
            by_id(run_id), {"$set": fields}, return_document=ReturnDocument.AFTER
        )
        return read(document) if document else None

    def uses(self, file_id: str, owner: str | None = None) -> int:
        """Count the runs (of an owner) that have a file among their inputs, up to 1000."""
        query = {"inputs.file": str(file_id)} | ({} if owner is None else {"owner": owner})
        return self._runs.count_documents(query, limit=1000)

    # ---- the state machine -----------------------------------------------------------------

    def start(self, run_id: str, attempt: int, *, now: datetime) -> Run:
        """Note that an attempt executes its run now: INITIALIZING → RUNNING.

        Raises TransitionRefused unless `attempt` is the run's present one and is initializing.
        """
        update = update_for(State.RUNNING, milliseconds(now))
        return self._apply(by_id(run_id) | {"attempt": attempt}, State.RUNNING, update, LIVE)

    def end(
        self,
        run_id: str,
        attempt: int,
        target: State,
        *,
        now: datetime,
        note: str = "",
        cause: Cause | None = None,
        outcome: Outcome | None = None,
        started: datetime | None = None,
        not_before: datetime | None = None,
    ) -> Run:
        """End an attempt: move its run to a final state, or back to QUEUED for another attempt.

        In one write with the history and the entry of the attempt, which gets `outcome`; without
        one, `target` alone. `started` is when Snakemake started, for a run that is still
        INITIALIZING: its history then passes through RUNNING. A run that returns to the queue is
        not claimed again until `not_before`. Raises TransitionRefused when
        `attempt` has ended or is not the present one, and when the state does not allow `target`.
        """
        now = milliseconds(now)
        update = update_for(target, now, note, cause)
        only_from = LIVE
        if started is not None:
            only_from, started = frozenset({State.INITIALIZING}), milliseconds(started)
            lines = [change(State.RUNNING, started), update["$push"]["history"]]
            update |= {"$push": {"history": {"$each": lines}}, "$min": {"started": started}}
        entry = vars(outcome or Outcome(target)) | {"ended": now, "cause": None}
        if cause is not None:
            entry["cause"] = cause.model_dump(mode="json")
        update["$set"] |= {f"attempts.$[own].{name}": entry[name] for name in entry}
        if not_before is not None:
            update["$set"]["not_before"] = milliseconds(not_before)
            del update["$unset"]["not_before"]
        query, filters = by_id(run_id) | {"attempt": attempt}, [{"own.number": attempt}]
        return self._apply(query, target, update, only_from, filters)

    def move(
        self,
        run_id: str,
        target: State,
        *,
        now: datetime,
        only_from: Collection[State] | None = None,
        note: str = "",
        cause: Cause | None = None,
    ) -> Run:
        """Move a run to `target`, whichever attempt is its present one.

        Raises TransitionRefused unless its state allows that and is in `only_from`, if given.
        """
        update = update_for(target, milliseconds(now), note, cause)
        return self._apply(by_id(run_id), target, update, only_from)

    def requeue(self, run: Run, *, now: datetime, note: str) -> Run:
        """Put a finished run back into the queue, behind the other runs of its owner.

        Failures are counted from zero again. Raises TransitionRefused unless it failed or was
        canceled.
        """
        update = update_for(State.QUEUED, milliseconds(now), note)
        update["$set"] |= {
            "rank": rank(self._runs, run.owner, run.priority),
            "resumed": run.attempts[-1].number if run.attempts else 0,
        }
        return self._apply(by_id(run.id), State.QUEUED, update, FINAL)

    def _apply(
        self,
        query: Document,
        target: State,
        update: Document,
        only_from: Collection[State] | None,
        filters: list[Document] | None = None,
    ) -> Run:
        allowed = sources(target)
        if only_from is not None:
            allowed = [state for state in allowed if state in only_from]
        query["state"] = {"$in": [state.value for state in allowed]}
        document = self._runs.find_one_and_update(
            query, update, array_filters=filters, return_document=ReturnDocument.AFTER
        )
        if document is None:
            raise TransitionRefused
        return read(document)

    def delete(self, run_id: str) -> bool:
        """Delete a run if it has finished; return whether it was deleted."""
        final = {"$in": [state.value for state in FINAL]}
        return self._runs.delete_one({**by_id(run_id), "state": final}).deleted_count == 1

    def report(self, run_id: str, attempt: int, fields: dict[str, Any]) -> None:
        """Set reported fields (progress, plan, links) while the attempt is live."""
        self._runs.update_one({**by_id(run_id), "attempt": attempt, **live()}, {"$set": fields})
